/* shapes.h: from a row of a table (*.def) to the function that runs the instruction.
 *
 * A shape says which operands there are and how masks apply, the row's expression what becomes of a lane:
 *
 *     a, b        lane i of the sources (operands 1 and 2), of type T
 *     x, y, own   the sources and the destination before, whole vectors
 *     i, n        the lane, and how many there are
 *     imm         the immediate behind the sources, 0 where there is none
 *
 * Lanes beyond the instruction's length are computed, too, and thrown away: a loop of fixed length is faster.
 * IN_HALVES runs the CPU's own AVX2 instruction on both halves: so floats are exact in NaNs, signs of zero, and
 * rounding. */
#define WIDTH(T) ((unsigned)sizeof(((vector *)0)->T[0]))
#define TYPE(T) __typeof__(((vector *)0)->T[0])
#define EACH(T) for (unsigned i = 0; i < sizeof(vector) / WIDTH(T); i++)
#define RUN(NAME) static void run_##NAME(const instruction *in, state *s)

/* For expressions. */
static inline int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }

/* Lane by lane: d = f(a); d = f(a, b). */
#define MAP1(NAME, T, expression)                                                                                      \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d;                                                                                                \
        const vector *x = operand_vector(in, s, 1, WIDTH(T), &room);                                                   \
        const unsigned imm = operand_immediate(in, 2);                                                                 \
        (void)imm;                                                                                                     \
        EACH(T)                                                                                                        \
        {                                                                                                              \
            const TYPE(T) a = x->T[i];                                                                                 \
            d.T[i] = (TYPE(T))(expression);                                                                            \
        }                                                                                                              \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }
#define MAP2(NAME, T, expression)                                                                                      \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d;                                                                                                \
        const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, WIDTH(T), &room);          \
        EACH(T)                                                                                                        \
        {                                                                                                              \
            const TYPE(T) a = x->T[i], b = y->T[i];                                                                    \
            d.T[i] = (TYPE(T))(expression);                                                                            \
        }                                                                                                              \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }

/* Lane i from any lanes of the sources. */
#define PERMUTE1(NAME, T, expression)                                                                                  \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d;                                                                                                \
        const vector *x = operand_vector(in, s, 1, 0, &room);                                                          \
        const unsigned n = in->bytes / WIDTH(T), imm = operand_immediate(in, 2);                                       \
        (void)n, (void)imm;                                                                                            \
        EACH(T) d.T[i] = (TYPE(T))(expression);                                                                        \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }
#define PERMUTE2(NAME, T, expression)                                                                                  \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector x_room, y_room, d;                                                                                      \
        const vector *x = operand_vector(in, s, 1, 0, &x_room), *y = operand_vector(in, s, 2, 0, &y_room);             \
        const vector *own = &s->z[in->o[0].number];                                                                    \
        const unsigned n = in->bytes / WIDTH(T), imm = operand_immediate(in, 3);                                       \
        (void)own, (void)n, (void)imm;                                                                                 \
        EACH(T) d.T[i] = (TYPE(T))(expression);                                                                        \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }

/* By a count c, the same for all lanes: an immediate, or the low 64 bits of a register or of memory. */
#define SHIFT(NAME, T, expression)                                                                                     \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d;                                                                                                \
        const bool fixed = in->o[2].kind == OPERAND_IMMEDIATE;                                                         \
        const uint64_t c = fixed ? operand_immediate(in, 2) : operand_vector(in, s, 2, 0, &room)->u64[0];              \
        const vector *x = operand_vector(in, s, 1, fixed ? WIDTH(T) : 0, &room);                                       \
        enum { bits = 8 * WIDTH(T) };                                                                                  \
        EACH(T)                                                                                                        \
        {                                                                                                              \
            const TYPE(T) a = x->T[i];                                                                                 \
            d.T[i] = (TYPE(T))(expression);                                                                            \
        }                                                                                                              \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }

/* A mask of the lanes in which the expression holds; imm is the predicate. */
#define COMPARE(NAME, T, expression)                                                                                   \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room;                                                                                                   \
        const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, WIDTH(T), &room);          \
        const unsigned imm = operand_immediate(in, 3);                                                                 \
        uint64_t bits = 0;                                                                                             \
        (void)imm;                                                                                                     \
        EACH(T)                                                                                                        \
        {                                                                                                              \
            const TYPE(T) a = x->T[i], b = y->T[i];                                                                    \
            bits |= (uint64_t)((expression) != 0) << i;                                                                \
        }                                                                                                              \
        operand_write_mask(in, s, bits, in->bytes / WIDTH(T));                                                         \
    }

/* Lanes of type D from lanes of type S, as many as the wider ones. */
#define CONVERT(NAME, D, S, expression)                                                                                \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        enum { wide = WIDTH(D) > WIDTH(S) ? WIDTH(D) : WIDTH(S), lanes = 64 / wide };                                  \
        vector room, d;                                                                                                \
        const vector *x = operand_vector(in, s, 1, WIDTH(S), &room);                                                   \
        for (unsigned i = 0; i < lanes; i++) {                                                                         \
            const TYPE(S) a = x->S[i];                                                                                 \
            d.D[i] = (TYPE(D))(expression);                                                                            \
        }                                                                                                              \
        for (unsigned i = lanes; i < sizeof d / WIDTH(D); i++)                                                         \
            d.D[i] = 0;                                                                                                \
        operand_write(in, s, &d, WIDTH(D), in->bytes / wide * WIDTH(D));                                               \
    }

/* The CPU's instruction, on halves of the vector. */
#define HALVES for (unsigned h = 0; h * 32 < in->bytes; h++)
#define IN_HALVES1(NAME, T, text)                                                                                      \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d;                                                                                                \
        const vector *x = operand_vector(in, s, 1, WIDTH(T), &room);                                                   \
        HALVES __asm__(text " %1, %0" : "=x"(d.half[h]) : "x"(x->half[h]));                                            \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }
#define IN_HALVES2(NAME, T, text)                                                                                      \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d;                                                                                                \
        const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, WIDTH(T), &room);          \
        HALVES __asm__(text " %2, %1, %0" : "=x"(d.half[h]) : "x"(x->half[h]), "x"(y->half[h]));                       \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }
#define IN_HALVES3(NAME, T, text)                                                                                      \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d = s->z[in->o[0].number];                                                                        \
        const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, WIDTH(T), &room);          \
        HALVES __asm__(text " %2, %1, %0" : "+x"(d.half[h]) : "x"(x->half[h]), "x"(y->half[h]));                       \
        operand_write(in, s, &d, WIDTH(T), in->bytes);                                                                 \
    }

/* One lane, the CPU's instruction; the rest of 16 bytes is the first source's, of SCALAR3 the destination's. */
#define SCALAR2(NAME, T, text)                                                                                         \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d;                                                                                                \
        const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, WIDTH(T), &room);          \
        __asm__(text " %2, %1, %0" : "=x"(d.quarter[0]) : "x"(x->quarter[0]), "x"(y->quarter[0]));                     \
        if (!(active_lanes(in, s) & 1))                                                                                \
            d.T[0] = in->zeroing ? 0 : s->z[in->o[0].number].T[0];                                                     \
        operand_write_whole(in, s, &d, 16);                                                                            \
    }
#define SCALAR3(NAME, T, text)                                                                                         \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d = s->z[in->o[0].number];                                                                        \
        const TYPE(T) before = d.T[0];                                                                                 \
        const vector *x = operand_vector(in, s, 1, 0, &room), *y = operand_vector(in, s, 2, WIDTH(T), &room);          \
        __asm__(text " %2, %1, %0" : "+x"(d.quarter[0]) : "x"(x->quarter[0]), "x"(y->quarter[0]));                     \
        if (!(active_lanes(in, s) & 1))                                                                                \
            d.T[0] = in->zeroing ? 0 : before;                                                                         \
        operand_write_whole(in, s, &d, 16);                                                                            \
    }
/* The same by an expression of b, the second source's lane, and imm. */
#define SCALAR(NAME, T, expression)                                                                                    \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        vector room, d = *operand_vector(in, s, 1, 0, &room);                                                          \
        const TYPE(T) a = d.T[0], b = operand_vector(in, s, 2, WIDTH(T), &room)->T[0];                                 \
        const unsigned imm = operand_immediate(in, 3);                                                                 \
        (void)a, (void)imm;                                                                                            \
        d.T[0] = active_lanes(in, s) & 1 ? (TYPE(T))(expression) : in->zeroing ? 0 : s->z[in->o[0].number].T[0];       \
        operand_write_whole(in, s, &d, 16);                                                                            \
    }

/* Mask registers of B, W, D and Q bits: k = f(a, b), k = f(a, c) with an immediate count. */
#define MASK2(NAME, bits, expression)                                                                                  \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        const uint64_t a = s->k[in->o[1].number] & low_bits(bits), b = s->k[in->o[2].number] & low_bits(bits);         \
        s->k[in->o[0].number] = (expression)&low_bits(bits);                                                           \
    }
#define MASK1(NAME, bits, expression)                                                                                  \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        const uint64_t a = s->k[in->o[1].number] & low_bits(bits), c = operand_immediate(in, 2);                       \
        (void)c;                                                                                                       \
        s->k[in->o[0].number] = (expression)&low_bits(bits);                                                           \
    }
/* Flags: zero and carry, of the two operands. */
#define MASK_FLAGS(NAME, bits, zero, carry)                                                                            \
    RUN(NAME)                                                                                                          \
    {                                                                                                                  \
        const uint64_t all = low_bits(bits), a = s->k[in->o[0].number] & all, b = s->k[in->o[1].number] & all;         \
        (void)all;                                                                                                     \
        operand_write_flags(s, zero, false, carry);                                                                    \
    }

/* run_NAME is written out beside the table; FUNCTION gives it other names. */
#define WRITTEN(NAME)
#define SAME(NAME, FUNCTION)
