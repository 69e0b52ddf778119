/* pir.h: what the files of the reader of PaddlePaddle 3's programs share.
 *
 *     pir.c             operators, operands, results, constants, blocks
 *     pir_attributes.c  types, and attributes as those of program.h */
#ifndef QCC_PADDLE_PIR_H
#define QCC_PADDLE_PIR_H

#include <string.h>

#include "frontends/json.h"
#include "frontends/paddle/import.h"

typedef struct pir_entry {
    const char *name, *operator_name, *operands, *results, *attributes;
} pir_entry;

typedef struct pir_value {
    int64_t number;              /* in the file */
    frontend_names names;        /* of its variables: more than one of a list */
    const frontend_value *known; /* what it is, where it is a constant of the file */
    const char *output;          /* what the model calls it; NULL: it is no output */
    bool written;
} pir_value;

typedef struct pir {
    paddle_model *model;
    arena *arena;
    pir_value *values; /* ascending by number */
    int64_t value_count;
    pir_value absent; /* number 0 */
    int64_t feeds;
    paddle_block *block; /* that operators are added to */
    int32_t blocks;      /* so far, but for the program's own */
} pir;

static inline bool pir_malformed(pir *p, const js_value *at, const char *what)
{
    const ir_loc loc = model_loc(p->model);
    fb_fail(&p->model->reader, at ? at->at : 0, what);
    return model_malformed(p->model, &loc);
}

/* ---- Words of pir.def ---- */

typedef struct word {
    const char *text;
    size_t length;
} word;

static inline bool next_word(const char **rest, word *out)
{
    *rest += strspn(*rest, " ");
    *out = (word){*rest, strcspn(*rest, " ")};
    *rest += out->length;
    return out->length > 0;
}

static inline bool word_is(word w, const char *text)
{
    return strlen(text) == w.length && memcmp(w.text, text, w.length) == 0;
}

static inline const char *word_text(pir *p, word w) { return arena_string(p->arena, w.text, w.length); }

/* ---- pir_attributes.c ---- */
/* {"#": "0.t_dtensor", "D": [{"#": "0.t_f32"}, [-1, 10], …]} */
void pir_read_type(pir *, const js_value *type, paddle_desc *out);
void pir_add_attribute(paddle_op *, const char *name, const frontend_value *value);
/* Where a value lies, and what Python's layer was called, has no bearing on any result.  entry: NULL for an operator that
 * is not known. */
bool pir_read_attributes(pir *, const js_value *list, const pir_entry *entry, paddle_op *);

#endif
