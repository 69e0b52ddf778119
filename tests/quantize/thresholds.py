#!/usr/bin/env python3
"""Protects the observers and the choice of ranges: each algorithm, written again with numpy from the numbers themselves, on random and
on adversarial data.  Where several ranges are equally good, down to the last digits of a sum, either is right: a search is checked by what
its range costs.

    thresholds.py PROGRAM (tests/quantize/thresholds.c)"""
import subprocess
import sys

try:
    import numpy as np
except ImportError:
    print("skipped: no numpy")
    sys.exit(77)

BATCH, BINS, SHARE, FRACTIONS = 100, 2048, 0.999, 128


def data():
    """Name and numbers of each case."""
    r = np.random.default_rng(1)
    normal = r.normal(size=5000)
    yield "normal", normal
    yield "one-sided", np.maximum(normal, 0)
    yield "negative", -np.abs(normal)
    yield "uniform away from 0", r.uniform(3, 7, 3000)
    yield "outlier", np.append(normal, 1000)
    yield "outliers below", np.append(normal * 0.1, [-50, -49, 0.5])
    yield "lopsided", np.where(r.random(4000) < 0.5, -0.05 * r.random(4000), 9 * r.random(4000))
    yield "heavy tails", r.standard_cauchy(5000)
    yield "constant", np.full(777, 2.5)
    yield "constant, negative", np.full(100, -1 / 3)
    yield "one number", np.array([0.1])
    yield "two numbers", np.array([-1, 1e-3])
    yield "zeros", np.zeros(300)
    yield "nearly zeros", np.append(np.zeros(3000), [1e-3, -2e-3])
    yield "denormals", r.integers(-100, 100, 500) * 1e-44
    yield "tiny beside large", np.append(normal * 1e-30, [3e30])
    yield "largest floats", np.array([3.4e38, -1.3e38, 1, 2])
    yield "powers of two", 2.0 ** r.integers(-20, 5, 1000)


def exponent_of(x):
    """The least one with which all numbers are in -2^e <= x < 2^e: bins double from the finest that the first numbers need."""
    most = max(float(x.max()), 0)
    e = -148
    while not (most < 2.0 ** e and float(x.min()) >= -(2.0 ** e)):
        e += 1
    return e


class Histogram:
    """Bins of all numbers but zeros, of both signs and of magnitudes."""

    def __init__(self, x):
        self.low, self.high = min(float(x.min()), 0), max(float(x.max()), 0)
        self.width = 2.0 ** exponent_of(x) / BINS
        index = np.floor(x[x != 0].astype(np.float64) / self.width).astype(np.int64)
        self.bins = np.bincount(index + BINS, minlength=2 * BINS)
        self.magnitudes = (self.bins[BINS:] + self.bins[:BINS][::-1]).astype(np.float64)
        self.zeros, self.count = int((x == 0).sum()), x.size
        self.most = max(self.high, -self.low)
        used = np.flatnonzero(self.bins)
        self.x = np.clip((used - BINS + 0.5) * self.width, self.low, self.high)
        self.weight = self.bins[used].astype(np.float64)
        self.candidates = {}

    def error(self, low, high, steps, power):
        step = (high - low) / steps
        return (self.weight * np.abs(self.x - np.clip(step * np.rint(self.x / step), low, high)) ** power).sum()

    def percentile(self):
        wanted, below = SHARE * self.count, float(self.zeros)
        for i, here in enumerate(self.magnitudes):
            if below + here >= wanted:
                return self.width * (i + (max(wanted - below, 0) / here if here else 0))
            below += here
        return self.most

    def divergence(self, n, levels):
        edges = np.arange(levels + 1) * n // levels
        sizes = np.diff(edges)
        p = self.magnitudes[:n].copy()
        p[-1] += self.magnitudes[n:].sum()
        parts = np.add.reduceat(self.magnitudes[:n], edges[:-1])
        used = np.add.reduceat(p > 0, edges[:-1], dtype=np.int64)
        q = np.repeat(np.maximum(parts / np.maximum(used, 1), 1e-3), sizes)
        inside = self.magnitudes[:n].sum()
        k = p > 0
        return (p[k] / p.sum() * np.log(p[k] / q[k])).sum() + np.log((inside if inside > 0 else 1e-3) / p.sum())

    def kl(self, levels):
        """All candidates and what they cost."""
        used = int(np.flatnonzero(self.magnitudes)[-1]) + 1
        if levels not in self.candidates:
            self.candidates[levels] = [(min(n * self.width, self.most) if n < used else self.most, self.divergence(n, levels))
                                       for n in range(levels, used + 1)] or [(self.most, 0.0)]
        return self.candidates[levels]


def ends_of(x):
    """Means of the ends of batches, plain and moving: low, high, magnitude."""
    batches = [x[i:i + BATCH] for i in range(0, x.size, BATCH)]
    ends = np.array([(b.min(), b.max(), np.abs(b).max()) for b in batches], np.float64)
    moving, weight = np.zeros(3), 0.0
    for e in ends:
        moving, weight = 0.9 * moving + e, 0.9 * weight + 1
    return ends.mean(0), moving / weight


def from_ends(ends, symmetric):
    return (-ends[2], ends[2]) if symmetric else (min(ends[0], 0), max(ends[1], 0))


def is_near(a, b):
    return np.allclose(a, b, rtol=1e-6, atol=1e-45)


def expected(h, x, algo, symmetric):
    """The range of an algorithm that does not search."""
    cut = {"absmax": h.most, "hist": h.percentile()}.get(algo)
    if algo in ("avg", "moving-average"):
        return from_ends(ends_of(x)[algo == "moving-average"], symmetric)
    if symmetric or algo == "absmax":
        most = h.most if cut is None else min(cut, h.most)
        return -most, most
    return (h.low, h.high) if cut is None else (max(h.low, -cut), min(h.high, cut))


def is_least_error(h, low, high, algo, symmetric, bits):
    """No change of one end, or of both together, costs less; and the ends are among those looked at."""
    steps, power = 2 ** bits - (2 if symmetric else 1), (2 if algo == "mse" else 1)
    found = h.error(low, high, steps, power)
    fractions = np.arange(1, FRACTIONS + 1) / FRACTIONS
    if symmetric:
        others = [(-h.most * f, h.most * f) for f in fractions]
    else:
        others = [(h.low * f, high) for f in fractions if h.low < 0] + [(low, h.high * f) for f in fractions if h.high > 0]
    others.append((-h.most, h.most) if symmetric else (h.low, h.high))
    step, ulp = (high - low) / steps, np.spacing(np.float32(max(high, -low)))  # the ends found are floats
    slack = h.weight.sum() * ((step + float(ulp)) ** power - step ** power + (1e-3 * step) ** power)
    return all(found <= h.error(a, b, steps, power) * (1 + 1e-4) + slack for a, b in others if b > a)


def is_right(h, x, algo, symmetric, bits, low, high):
    if algo not in ("kl", "mse", "emd") or not h.weight.size:
        return is_near((low, high), expected(h, x, algo, symmetric))
    if algo != "kl":
        return is_least_error(h, low, high, algo, symmetric, bits)
    candidates = h.kl(2 ** bits if not symmetric and (h.low == 0 or h.high == 0) else 2 ** (bits - 1))
    least = min(cost for _, cost in candidates)
    for most, cost in candidates:
        if cost <= least + 1e-9:
            range_ = (-most, most) if symmetric else (max(h.low, -most), min(h.high, most))
            if is_near((low, high), range_):
                return True
    return False


def main():
    failures = 0
    for name, numbers in data():
        x = numbers.astype(np.float32)
        h = Histogram(x)
        out = subprocess.run([sys.argv[1], str(BATCH)], input=x.tobytes(), capture_output=True, check=True).stdout.decode()
        lines = [line.split() for line in out.splitlines()]
        if len(lines) != 36:
            failures += 1
            print(f"{name}: {len(lines)} ranges")
        for algo, kind, bits, low, high in lines:
            if not is_right(h, x, algo, kind == "symmetric", int(bits), float(low), float(high)):
                failures += 1
                print(f"{name}, {algo}, {kind}, {bits} bits: {low}…{high} is not right")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
