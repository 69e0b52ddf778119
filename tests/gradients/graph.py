"""graph.py: a graph as text for qcc, and as functions on numpy arrays in double: each op is said once, with both meanings.

    g = Graph(rng)
    x = g.input((2, 3))
    y = g.op("exp", np.exp, x)
    g.loss(y)                       Σ y c, c a random constant
    g.text(), g.evaluate(number, array), g.derivative(number, direction, step)

The functions on arrays are those of the definitions, written for this test alone.
"""
import numpy as np


class Value:
    def __init__(self, number, shape, kind):
        self.number, self.shape, self.kind = number, shape, kind


def shape_text(shape, kind):
    return f"{kind}<{'x'.join(map(str, shape))}>"


def attributes_text(attributes):
    def one(v):
        return f"[{', '.join(map(str, v))}]" if isinstance(v, (list, tuple)) else str(v)
    return " {" + ", ".join(f"{k} = {one(v)}" for k, v in attributes.items()) + "}" if attributes else ""


class Graph:
    def __init__(self, rng):
        self.rng, self.lines, self.steps, self.inputs, self.values = rng, [], [], [], []
        self.output = None

    def _value(self, shape, kind, array):
        self.values.append(array)
        return Value(len(self.values) - 1, tuple(int(n) for n in shape), kind)

    def input(self, shape, scale=1.0, array=None, fixed=False, kind="f32", above=None):
        """A random one, unless it is given; whole multiples of nothing: kinks are not met.  above: what all numbers are above."""
        if array is None:
            array = self.rng.normal(0, scale, shape)
            array = array if above is None else abs(array) + above
        array = np.asarray(array, np.float32 if kind == "f32" else np.int32)
        v = self._value(array.shape, kind, array.astype(np.float64) if kind == "f32" else array)
        name = ' "fixed"' if fixed or kind != "f32" else ""
        self.lines.append(f"  input %{v.number}:{shape_text(v.shape, kind)}{name}")
        self.inputs.append((v, array, fixed or kind != "f32"))
        return v

    def constant(self, numbers):
        """One number, or an array of them."""
        array = np.asarray(numbers, np.float32)
        v = self._value(array.shape, "f32", array.astype(np.float64))
        listed = ", ".join(repr(float(x)) for x in array.ravel())
        self.lines.append(f"  const %{v.number}:{shape_text(v.shape, 'f32')} = [{listed}]")
        return v

    def op(self, name, function, *operands, **named):
        return self.ops(name, [function], *operands, **named)[0]

    def ops(self, name, functions, *operands, kind="f32", further=(), **attributes):
        """A function, and a value, for each result; further: types of results that nobody looks at."""
        results = []
        for function in functions:
            array = function(*(self.values[o.number] for o in operands))
            results.append(self._value(np.shape(array), kind, array))
            self.steps.append((function, [o.number for o in operands], results[-1].number))
        names = ", ".join(f"%{o.number}" for o in operands)
        types = [f"%{v.number}:{shape_text(v.shape, kind)}" for v in results]
        types += [f"%{self._value(shape, other, None).number}:{shape_text(shape, other)}" for shape, other in further]
        self.lines.append(f"  {', '.join(types)} = {name} {names}{attributes_text(attributes)}")
        return results

    def loss(self, y):
        """Σ y c: every element of y counts, each by another weight."""
        c = self.input(y.shape, fixed=True)
        weighted = self.op("mul", lambda v, c: v * c, y, c)
        axes = list(range(len(y.shape)))
        self.output = self.op("sum", lambda v: v.sum(), weighted, axes=axes) if axes else weighted
        return self.output

    def text(self):
        return "\n".join(['graph "case" {'] + self.lines + [f"  output %{self.output.number}", "}", ""])

    def evaluate(self, number, array):
        """The loss with another array for this value."""
        values, changed = list(self.values), {number}
        values[number] = array
        for function, operands, result in self.steps:
            if not changed.isdisjoint(operands):
                values[result] = function(*(values[o] for o in operands))
                changed.add(result)
        return float(np.sum(values[self.output.number]))

    def derivative(self, number, direction, step):
        x = self.values[number]
        above, below = (self.evaluate(number, x + s * step * direction) for s in (1, -1))
        return (above - below) / (2 * step)
