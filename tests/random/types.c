/* types.c: the element types that an op is defined for, from the interpreter's table, each combination by number. */
#include <stdio.h>
#include <string.h>

#include "tests/random/draw.h"

static const char *const table[IR_OPCODE_COUNT] = {
#define EVAL(CODE, evaluate, check, types) [IR_##CODE] = types,
#include "ir/ref/ref.def"
#undef EVAL
};

enum { MOST_TOKENS = DRAW_MAX_OPERANDS + DRAW_MAX_RESULTS };

typedef struct token {
    const char *text;
    size_t length;
} token;
typedef struct alternative {
    token tokens[MOST_TOKENS];
    int operands, count;
    int combinations;
} alternative;

/* How many types a token allows: "=" follows the first operand. */
static int choices(const token *t)
{
    int n = 1;

    if (t->length == 1 && *t->text == '*')
        return IR_DTYPE_COUNT - 1;
    for (size_t i = 0; i < t->length; i++)
        n += t->text[i] == ',';
    return n;
}

static ir_dtype choice(const token *t, int index, ir_dtype first)
{
    const char *at = t->text, *end = t->text + t->length;

    if (t->length == 1 && *at == '*')
        return (ir_dtype)(index + 1);
    if (t->length == 1 && *at == '=')
        return first;
    for (; index > 0; index--)
        at = (const char *)memchr(at, ',', (size_t)(end - at)) + 1;
    const char *comma = memchr(at, ',', (size_t)(end - at));
    return ir_dtype_from_text(at, (size_t)((comma ? comma : end) - at));
}

/* Reads "f32,i8 = > =" up to '|' or the end; returns what follows, NULL at the end. */
static const char *alternative_read(const char *text, alternative *a)
{
    *a = (alternative){.combinations = 1};
    for (bool results = false; *text && *text != '|';) {
        const size_t length = strcspn(text, " |");
        if (length == 1 && *text == '>')
            results = true;
        else if (length && a->count < MOST_TOKENS) {
            a->tokens[a->count++] = (token){text, length};
            a->operands += !results;
            a->combinations *= choices(&a->tokens[a->count - 1]);
        }
        text += length;
        text += strspn(text, " ");
    }
    return *text ? text + 1 : NULL;
}

int draw_types_count(ir_opcode code)
{
    alternative a;
    int n = 0;

    for (const char *at = table[code]; at;) {
        at = alternative_read(at, &a);
        n += a.combinations;
    }
    return n;
}

bool draw_types_at(ir_opcode code, int index, draw_types *out)
{
    alternative a = {.combinations = 0};

    *out = (draw_types){0};
    for (const char *at = table[code]; at; index -= a.combinations) {
        at = alternative_read(at, &a);
        if (index >= a.combinations)
            continue;
        out->operands = a.operands;
        for (int i = 0; i < a.count; index /= choices(&a.tokens[i++])) {
            const ir_dtype t = choice(&a.tokens[i], index % choices(&a.tokens[i]), out->operand[0]);
            if (i < a.operands)
                out->operand[i] = t;
            else
                out->result[i - a.operands] = t;
        }
        return true;
    }
    return false;
}

void draw_types_print(const draw_types *t, ir_opcode code, char *to, size_t size)
{
    size_t n = 0;

    to[0] = 0;
    for (int i = 0; i < t->operands && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", i ? " " : "", ir_dtype_text(t->operand[i]));
    for (int i = 0; i < ir_op_info_of(code)->results && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", i ? " " : " > ", ir_dtype_text(t->result[i]));
}
