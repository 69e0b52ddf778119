/* oracle.c: what instructions do that have no AVX2 twin, whole vectors. */
#include "oracle_lanes.h"

/* ---- Whole vectors ---- */

static void convert_lanes(const sample *s, expected *out)
{
    const unsigned to = s->f->lane, from = named(s, "vcvt") && s->f->sources == 1 ? to : s->f->sources;
    const unsigned lanes = s->bytes / (from > to ? from : to);

    for (unsigned i = 0; i < lanes; i++) {
        const uint64_t bits = get(&s->x, from, i);
        set(&out->v, to, i, named(s, "vcvt") ? lane_converted(s, bits, from, to) : lane_resized(s, bits, from, to));
    }
    out->total = lanes * to;
}

static void permute_lanes(const sample *s, expected *out)
{
    const unsigned w = s->f->lane, n = s->bytes / w;

    for (unsigned i = 0; i < n; i++) {
        const uint64_t mine = named(s, "vpermi2") ? get(&s->own, w, i) : get(&s->x, w, i);
        const vector *low = named(s, "vpermi2") ? &s->x : &s->own;
        if (named(s, "vpermi2") || named(s, "vpermt2"))
            set(&out->v, w, i, mine % (2 * n) < n ? get(low, w, mine % n) : get(&s->y, w, mine % n));
        else if (s->f->sources == 1)
            set(&out->v, w, i, get(&s->x, w, i / 4 * 4 + (s->imm >> 2 * (i % 4)) % 4));
        else
            set(&out->v, w, i, get(&s->y, w, mine % n));
    }
}

static void shuffle_quarters(const sample *s, expected *out)
{
    const unsigned n = s->bytes / 16;

    for (unsigned i = 0; i < n; i++) {
        const vector *from = i < n / 2 ? &s->x : &s->y;
        out->v.quarter[i] = from->quarter[n == 2 ? s->imm >> i & 1 : s->imm >> 2 * i & 3];
    }
}

static void align_lanes(const sample *s, expected *out)
{
    const unsigned w = s->f->lane, n = s->bytes / w;

    for (unsigned i = 0; i < n; i++) {
        const unsigned from = i + s->imm % n;
        set(&out->v, w, i, from < n ? get(&s->y, w, from) : get(&s->x, w, from - n));
    }
}

/* vpcompress: the result has been merged already. */
static void squeeze(const sample *s, expected *out)
{
    const unsigned w = s->f->lane;
    unsigned used = 0;

    for (unsigned i = 0; i < s->bytes / w; i++)
        if (s->k1 >> i & 1)
            set(&out->v, w, used++, get(&s->x, w, i));
    while (used < s->bytes / w) {
        set(&out->v, w, used, s->zeroing ? 0 : get(&s->own, w, used));
        used++;
    }
}

static void spread(const sample *s, expected *out)
{
    const unsigned w = s->f->lane;
    unsigned used = 0;

    for (unsigned i = 0; i < s->bytes / w; i++)
        if (s->k1 >> i & 1)
            set(&out->v, w, i, get(&s->x, w, used++));
}

static void insert_part(const sample *s, expected *out)
{
    const unsigned part = s->f->sources;

    out->v = s->x;
    memcpy(out->v.u8 + s->imm % (s->bytes / part) * part, &s->y, part);
}

static void repeat_part(const sample *s, expected *out)
{
    for (unsigned i = 0; i < s->bytes; i++)
        out->v.u8[i] = s->x.u8[i % s->f->sources];
}

/* One lane, the others as in the first source. */
static void scalar(const sample *s, expected *out, uint64_t bits)
{
    out->v = s->x;
    set(&out->v, s->f->lane, 0, bits);
}

static uint64_t one_lane(const sample *s, unsigned i)
{
    const unsigned w = s->f->lane;
    const uint64_t x = get(&s->x, w, i), y = get(&s->y, w, i);

    if (named(s, "vpmin") || named(s, "vpmax"))
        return lane_least(s, x, y);
    if (named(s, "vpmull"))
        return lane_multiply(x, y);
    if (named(s, "vpro") || named(s, "vps"))
        return lane_shifted(s, x,
                            s->f->sources == 1                                            ? s->imm
                            : contains(s, "vw") || contains(s, "vd") || contains(s, "vq") ? y
                                                                                          : s->y.u64[0],
                            w);
    if (named(s, "vpabs"))
        return with_sign(x, w) < 0 ? 0 - x : x;
    if (named(s, "vplzcnt"))
        return lane_leading_zeros(x, w);
    if (named(s, "vpternlog"))
        return lane_logic(get(&s->own, w, i), x, y, s->imm, w);
    if (named(s, "vpdp"))
        return lane_dot(s, i);
    if (named(s, "vrndscale"))
        return lane_rounded(s, x, w);
    if (named(s, "vscalef"))
        return lane_scaled(x, y, w);
    if (named(s, "vshufpd"))
        return get(i % 2 ? &s->y : &s->x, 8, i / 2 * 2 + (s->imm >> i & 1));
    if (named(s, "vpermilpd"))
        return get(&s->x, 8, i / 2 * 2 + (s->imm >> i & 1));
    if (contains(s, "blendm"))
        return s->k1 >> i & 1 ? y : s->zeroing ? 0 : x;
    return x; /* vmovntdqa */
}

/* ---- Masks and flags ---- */

static uint64_t bits_of_lanes(const sample *s)
{
    const unsigned w = s->f->lane;
    const bool one = contains(s, "ss") || contains(s, "sd");
    const bool is_unsigned = named(s, "vpcmpu");
    uint64_t bits = 0;

    for (unsigned i = 0; i < (one ? 1 : s->bytes / w); i++) {
        const uint64_t x = get(&s->x, w, i), y = get(&s->y, w, i), bias = is_unsigned ? 0 : 1ull << (8 * w - 1);
        bool holds;
        if (named(s, "vptest"))
            holds = ((x & y) != 0) == !named(s, "vptestn");
        else if (named(s, "vpcmpeq"))
            holds = x == y;
        else if (named(s, "vpcmpgt"))
            holds = (x ^ bias) > (y ^ bias);
        else if (named(s, "vpcmp"))
            holds = (s->imm % 4 == 0   ? x == y
                     : s->imm % 4 == 1 ? (x ^ bias) < (y ^ bias)
                     : s->imm % 4 == 2 ? (x ^ bias) < (y ^ bias) || x == y
                                       : false) == !(s->imm & 4);
        else
            holds = lane_compared(x, y, w, s->imm);
        bits |= (uint64_t)holds << i;
    }
    return bits & s->k1;
}

static unsigned mask_width(const sample *s)
{
    const char *letters = "bwdq", *letter = strchr(letters, s->name[5]); /* vpmov?2m */

    if (named(s, "vpmovm2") || *s->name == 'k')
        letter = strchr(letters, s->name[strlen(s->name) - 1]);
    if (named(s, "kunpck"))
        return contains(s, "dq") ? 64 : contains(s, "wd") ? 32 : 16;
    return letter ? 8u << (letter - letters) : 64;
}

static void mask_operation(const sample *s, expected *out)
{
    const unsigned width = mask_width(s);
    const uint64_t all = width == 64 ? ~0ull : (1ull << width) - 1, a = s->k3 & all, b = s->k4 & all;
    bool some = false, every = true;

    for (unsigned i = 0; i < width; i++) {
        const bool p = a >> i & 1, q = b >> i & 1;
        const bool bit = named(s, "kandn")     ? !p && q
                         : named(s, "kand")    ? p && q
                         : named(s, "kor")     ? p || q
                         : named(s, "kxor")    ? p != q
                         : named(s, "kxn")     ? p == q
                         : named(s, "knot")    ? !p
                         : named(s, "kshiftl") ? i >= s->imm && a >> (i - s->imm) & 1
                         : named(s, "kshiftr") ? i + s->imm < width && a >> (i + s->imm) & 1
                         : named(s, "kunpck")  ? (i < width / 2 ? s->k4 >> i : s->k3 >> (i - width / 2)) & 1
                         : named(s, "ktest")   ? p && q
                                               : p;
        out->bits |= (uint64_t)bit << i;
        some |= named(s, "kortest") ? p || q : bit;
        every &= named(s, "kortest") ? p || q : p || !q;
    }
    if (named(s, "kadd"))
        out->bits = (a + b) & all;
    out->what = OUTCOME_BITS;
    if (named(s, "kortest") || named(s, "ktest")) {
        out->what = OUTCOME_FLAGS;
        out->bits = (some ? 0 : 1) | (every ? 4 : 0);
    }
}

static uint64_t signs(const sample *s)
{
    const unsigned w = mask_width(s) / 8;
    uint64_t bits = 0;

    for (unsigned i = 0; i < s->bytes / w; i++)
        bits |= (get(&s->x, w, i) >> (8 * w - 1)) << i;
    return bits;
}

static void from_signs(const sample *s, expected *out)
{
    const unsigned w = mask_width(s) / 8;

    for (unsigned i = 0; i < s->bytes / w; i++)
        set(&out->v, w, i, s->k3 >> i & 1 ? ~0ull : 0);
}

static void flags_of_reals(const sample *s, expected *out)
{
    const unsigned w = s->f->lane;
    const uint64_t a = get(&s->x, w, 0), b = get(&s->y, w, 0);
    const bool unordered = lane_compared(a, b, w, 3);

    out->what = OUTCOME_FLAGS;
    out->bits = (unordered || lane_compared(a, b, w, 0) ? 1 : 0) | (unordered ? 2 : 0) |
                (unordered || lane_compared(a, b, w, 1) ? 4 : 0);
}

/* ---- By name ---- */

static void set_bits(expected *out, uint64_t bits, unsigned bytes)
{
    out->what = OUTCOME_BITS;
    out->bits = bytes < 8 ? bits & ((1ull << 8 * bytes) - 1) : bits;
}

static void masks(const sample *s, expected *out)
{
    if (named(s, "kmov"))
        set_bits(out, s->x.u64[0], mask_width(s) / 8);
    else if (named(s, "vpmovm2"))
        from_signs(s, out);
    else if (named(s, "vpmov"))
        set_bits(out, signs(s), 8);
    else
        mask_operation(s, out);
}

static void conversions(const sample *s, expected *out)
{
    const unsigned w = s->f->lane;

    if (!named(s, "vcvt") || !(contains(s, "ss") || contains(s, "sd") || contains(s, "si"))) {
        convert_lanes(s, out);
    } else if (s->to_general) { /* its form stands among those of 8 bytes: the name tells the source */
        const unsigned from = contains(s, "ss2") ? 4 : 8;
        set_bits(out, lane_converted(s, get(&s->x, from, 0), from, s->general_bytes), s->general_bytes);
    } else {
        const unsigned from = contains(s, "si2") ? s->general_bytes : 12 - w;
        scalar(s, out, lane_converted(s, get(&s->y, from, 0), from, w));
    }
}

static void parts(const sample *s, expected *out)
{
    const unsigned w = s->f->lane, part = s->f->sources;

    if (named(s, "vpinsr")) {
        out->v = s->x;
        set(&out->v, w, s->imm % (16 / w), s->y.u64[0]);
    } else if (named(s, "vinsert")) {
        insert_part(s, out);
    } else if (named(s, "vpextr") || named(s, "vextractps")) {
        const unsigned width = named(s, "vpextrb") ? 1 : named(s, "vpextrw") ? 2 : w;
        set_bits(out, get(&s->x, width, s->imm % (16 / width)), 8);
    } else {
        memcpy(&out->v, s->x.u8 + s->imm % (s->bytes / part) * part, part);
        out->total = part;
    }
}

/* vmovd, vmovq, vmovss, vmovsd, vmovlps and its like. */
static void moves(const sample *s, expected *out)
{
    const unsigned w = s->f->lane, which = named(s, "vmovh");

    if (s->to_general) {
        set_bits(out, s->x.u64[0], s->general_bytes);
    } else if (named(s, "vmovl") || which) {
        out->v.u64[0] = s->x.u64[which];
        if (!s->to_memory) {
            out->v = s->x;
            out->v.u64[which] = s->y.u64[0];
        }
    } else {
        memcpy(&out->v, &s->x, w);
    }
    out->total = s->to_memory ? w : 16;
}

static void vectors(const sample *s, expected *out)
{
    if (named(s, "vperm") && !named(s, "vpermil"))
        permute_lanes(s, out);
    else if (named(s, "valign"))
        align_lanes(s, out);
    else if (named(s, "vshuff") || named(s, "vshufi"))
        shuffle_quarters(s, out);
    else if (contains(s, "compress"))
        squeeze(s, out);
    else if (contains(s, "expand"))
        spread(s, out);
    else if (contains(s, "broadcast"))
        repeat_part(s, out);
    else if (named(s, "vrndscales"))
        scalar(s, out, lane_rounded(s, get(&s->y, s->f->lane, 0), s->f->lane));
    else if (named(s, "vscalefs"))
        scalar(s, out, lane_scaled(get(&s->x, s->f->lane, 0), get(&s->y, s->f->lane, 0), s->f->lane));
    else
        for (unsigned i = 0; i < s->bytes / s->f->lane; i++)
            set(&out->v, s->f->lane, i, one_lane(s, i));
}

void oracle(const sample *s, expected *out)
{
    const bool mask = *s->name == 'k' || named(s, "vpmovm2") || s->name[strlen(s->name) - 1] == 'm';

    *out = (expected){.what = OUTCOME_VECTOR, .total = s->bytes};
    if (mask && (*s->name == 'k' || named(s, "vpmov")))
        masks(s, out);
    else if (named(s, "vpcmp") || named(s, "vptest") || named(s, "vcmp"))
        set_bits(out, bits_of_lanes(s), 8);
    else if (named(s, "vucomi") || named(s, "vcomi"))
        flags_of_reals(s, out);
    else if (named(s, "vcvt") || named(s, "vpmov"))
        conversions(s, out);
    else if (named(s, "vpinsr") || named(s, "vinsert") || named(s, "vpextr") || named(s, "vextract"))
        parts(s, out);
    else if (named(s, "vmov") && !named(s, "vmovnt"))
        moves(s, out);
    else
        vectors(s, out);
}
