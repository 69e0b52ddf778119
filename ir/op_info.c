/* op_info.c: the tables of dtypes.def, enums.def, attrs.def and ops.def as constant data.
 *
 * Operand counts follow from the operand names at compile time: "x w b? r?" is 2 to 4, "x*" is 1 or more. */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "ir/ir.h"

/* ---- Element types ---- */

static const struct {
    const char *text;
    size_t bytes;
} dtypes[IR_DTYPE_COUNT] = {
    [IR_DTYPE_NONE] = {"none", 0},
#define DTYPE(NAME, text_, bytes_, ctype) [IR_##NAME] = {text_, bytes_},
#include "ir/dtypes.def"
#undef DTYPE
};

#define DTYPE(NAME, text, bytes, ctype) _Static_assert(sizeof(ctype) == (bytes), "size of " text);
#include "ir/dtypes.def"
#undef DTYPE

size_t ir_dtype_bytes(ir_dtype t)
{
    assert((unsigned)t < IR_DTYPE_COUNT);
    return dtypes[t].bytes;
}

const char *ir_dtype_text(ir_dtype t)
{
    assert((unsigned)t < IR_DTYPE_COUNT);
    return dtypes[t].text;
}

static bool text_is(const char *known, const char *text, size_t length)
{
    return strlen(known) == length && memcmp(known, text, length) == 0;
}

ir_dtype ir_dtype_from_text(const char *text, size_t length)
{
    for (int t = 1; t < IR_DTYPE_COUNT; t++)
        if (text_is(dtypes[t].text, text, length))
            return (ir_dtype)t;
    return IR_DTYPE_NONE;
}

/* ---- Enumerations ---- */

#define ENUM_BEGIN(NAME) static const char *const texts_##NAME[] = {
#define ENUMERATOR(NAME, CODE, text, doc) [IR_##NAME##_##CODE] = text,
#define ENUM_END(NAME)                                                                                                 \
    }                                                                                                                  \
    ;
#include "ir/enums.def"
#undef ENUM_BEGIN
#undef ENUMERATOR
#undef ENUM_END

static const char *const *enum_texts(ir_attr_kind kind, int *out_count)
{
    switch (kind) {
#define ENUM_BEGIN(NAME)                                                                                               \
    case IR_KIND_ENUM_##NAME:                                                                                          \
        *out_count = IR_##NAME##_COUNT;                                                                                \
        return texts_##NAME;
#define ENUMERATOR(NAME, CODE, text, doc)
#define ENUM_END(NAME)
#include "ir/enums.def"
#undef ENUM_BEGIN
#undef ENUMERATOR
#undef ENUM_END
    default: *out_count = 0; return NULL;
    }
}

const char *ir_enum_text(ir_attr_kind kind, int64_t value)
{
    int count;
    const char *const *texts = enum_texts(kind, &count);
    return value >= 0 && value < count ? texts[value] : NULL;
}

bool ir_enum_from_text(ir_attr_kind kind, const char *text, size_t length, int64_t *out_value)
{
    int count;
    const char *const *texts = enum_texts(kind, &count);
    for (int i = 0; i < count; i++)
        if (text_is(texts[i], text, length)) {
            *out_value = i;
            return true;
        }
    return false;
}

/* ---- Attributes ---- */

#define KIND(kind) IR_KIND_##kind
static const ir_attr_info attr_infos[IR_ATTR_COUNT] = {
#define ATTR(NAME, text, kind, def, doc) [IR_ATTR_##NAME] = {text, KIND(kind), def, doc},
#include "ir/attrs.def"
#undef ATTR
};

const ir_attr_info *ir_attr_info_of(ir_attr_id id)
{
    assert((unsigned)id < IR_ATTR_COUNT);
    return &attr_infos[id];
}

/* ---- Ops ---- */

enum { OPERANDS_TEXT_MAX = 24 };

/* Character i of a literal, 0 past its end; how many of the first 24 are c. */
#define CHAR(s, i) ((i) < sizeof(s) ? (s)[(i) < sizeof(s) ? (i) : 0] : 0)
#define IS(s, i, c) (CHAR(s, i) == (c))
#define IS_4(s, i, c) (IS(s, (i) + 0u, c) + IS(s, (i) + 1u, c) + IS(s, (i) + 2u, c) + IS(s, (i) + 3u, c))
#define COUNT(s, c)                                                                                                    \
    (IS_4(s, 0u, c) + IS_4(s, 4u, c) + IS_4(s, 8u, c) + IS_4(s, 12u, c) + IS_4(s, 16u, c) + IS_4(s, 20u, c))
#define WORDS(s) (sizeof(s) == 1 ? 0 : 1 + COUNT(s, ' '))

#define OP(CODE, text, operands, results, flags, attributes, doc)                                                      \
    _Static_assert(sizeof(operands) <= OPERANDS_TEXT_MAX + 1, "operand names of " text " are too long");
#include "ir/ops.def"
#undef OP

#define A(NAME) +1
enum {
#define OP(CODE, text, operands, results, flags, attributes, doc) ATTRS_OF_##CODE = 0 attributes,
#include "ir/ops.def"
#undef OP
};
#undef A
#define OP(CODE, text, operands, results, flags, attributes, doc)                                                      \
    _Static_assert((int)ATTRS_OF_##CODE < (int)IR_MAX_ATTRS, "too many attributes: " text);
#include "ir/ops.def"
#undef OP

#define PURE IR_PURE
#define ELEMENTWISE IR_ELEMENTWISE
#define SAME_QUANT IR_SAME_QUANT
#define MAC IR_MAC
#define LOOKUP IR_LOOKUP
#define STATE IR_STATE
#define UNSCALED IR_UNSCALED
#define IMAGES IR_IMAGES
#define ROWS IR_ROWS
#define A(NAME) IR_ATTR_##NAME,
static const ir_op_info op_infos[IR_OPCODE_COUNT] = {
#define OP(CODE, text_, operands_, results_, flags_, attributes_, doc_)                                                \
    [IR_##CODE] = {.text = text_,                                                                                      \
                   .operands = operands_,                                                                              \
                   .doc = doc_,                                                                                        \
                   .min_operands = WORDS(operands_) - COUNT(operands_, '?'),                                           \
                   .max_operands = COUNT(operands_, '*') ? INT_MAX : WORDS(operands_),                                 \
                   .results = results_,                                                                                \
                   .flags = flags_,                                                                                    \
                   .attr_count = ATTRS_OF_##CODE,                                                                      \
                   .attrs = {attributes_ IR_ATTR_COUNT}},
#include "ir/ops.def"
#undef OP
};
#undef A

const ir_op_info *ir_op_info_of(ir_opcode code)
{
    assert((unsigned)code < IR_OPCODE_COUNT);
    return &op_infos[code];
}

bool ir_opcode_from_text(const char *text, size_t length, ir_opcode *out)
{
    for (int i = 0; i < IR_OPCODE_COUNT; i++)
        if (text_is(op_infos[i].text, text, length)) {
            *out = (ir_opcode)i;
            return true;
        }
    return false;
}
