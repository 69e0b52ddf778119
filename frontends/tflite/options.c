/* options.c: the options of an operator: a member of a union, its fields are attributes (node_attributes.h).
 *
 * A file sets fields by their places; the operator's row in ops.def has their names in this order. */
#include <string.h>

#include "frontends/node/node_attributes.h"
#include "frontends/tflite/import.h"

enum { MAX_FIELDS = 64 }; /* none of the schema's tables has as many */

/* Files leave out what has its default. */
static bool is_default(const frontend_attribute *a, const char *values)
{
    (void)a;
    (void)values;
    return false;
}

/* The fields that the file sets, as attributes. */
static bool know_fields(tflite_node *n)
{
    arena *a = n->model->graph->arena;
    const unsigned count = n->options.field_count;
    const char *word = n->entry->fields;
    if (count > MAX_FIELDS)
        return node_error(n, "options with %u fields are not supported", count);
    n->declared = word;
    n->attributes = ARENA_ARRAY(a, frontend_attribute, count + 1);
    for (unsigned i = 0; i < count; i++) {
        const size_t length = strcspn(word, " ~=:");
        if (fb_has(n->options, i))
            n->attributes[n->attribute_count++].name =
                length ? arena_string(a, word, (uint32_t)length) : arena_format(a, "of field %u", i);
        word += strcspn(word, " ");
        word += *word == ' ';
    }
    return node_attributes_known(n, is_default);
}

bool tflite_options_read(tflite_node *n)
{
    const tflite_op_entry *e = n->entry;
    const bool second = e->options == OPTIONS_COMPOSITE && strcmp(e->name, "STABLEHLO_COMPOSITE") == 0;
    const int types[] = {fb_u8(n->table, OPERATOR_OPTIONS_TYPE, 0), fb_u8(n->table, OPERATOR_OPTIONS2_TYPE, 0)};
    if (types[!second] != OPTIONS_NONE)
        return node_error(n, "the options are those of another operator (type %d)", types[!second]);
    if (types[second] == OPTIONS_NONE)
        return true;
    if (types[second] != e->options && e->options != OPTIONS_NONE)
        return node_error(n, "the options are those of another operator (type %d, expected %d)", types[second],
                          e->options);
    n->options = fb_sub(n->table, second ? OPERATOR_OPTIONS2 : OPERATOR_OPTIONS);
    return know_fields(n);
}
