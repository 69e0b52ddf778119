/* node_attributes.h: what the operator tables declare of attributes and versions, so that nothing a file says is
 * ignored because nobody thought of it.
 *
 * A row of onnx/ops.def, tflite/ops.def or paddle/ops.def declares its operator's attributes, as words:
 *
 *     axis              the importer reads it
 *     mode:DCR|CRD      the importer reads it and can do these values
 *     saturate=1        not read: the operator is supported with this value alone; precision=0|1: both are the same
 *     seed~             not read: whatever it is, the result is the same (the table says why)
 *     #_scale           one for each operand: X0_scale, Filter12_scale
 *
 * and what it does not declare is refused.  So the words are the one place that decides; importers don't check for what
 * they can't do.  In the life of a node:
 *
 *     before its importer   node_version_known, node_attributes_known: refuse what the row does not declare
 *     in its importer       node_attribute, under the getters of each format: to look up what is not declared is an
 * error of ours, which an assertion finds after it              node_attributes_read: refuse a declared attribute that
 * was not looked up, or is of another type than the importer expects; node_attributes_typed: of another type only, for
 * files that record every attribute, needed or not
 *
 * An importer for whose operators a frontend_attribute is not enough (TFLite: a field of an options table) makes the
 * array all the same: what the checks need is the name.  Attributes that all operators of a format may
 * have, such as Paddle's op_role, are declared once, by declared_by_all. */
#ifndef QCC_FRONTEND_NODE_ATTRIBUTES_H
#define QCC_FRONTEND_NODE_ATTRIBUTES_H

#include "frontends/node/node.h"

typedef enum attribute_use { ATTRIBUTE_UNKNOWN, ATTRIBUTE_READ, ATTRIBUTE_FIXED, ATTRIBUTE_IGNORED } attribute_use;

enum { ATTRIBUTE_VALUES_BYTES = 128 };

typedef struct attribute_rule {
    attribute_use use;
    char values[ATTRIBUTE_VALUES_BYTES]; /* those allowed, with | between them; empty: any */
} attribute_rule;

attribute_rule attribute_rule_of(const char *declared, const char *name);
/* Is the value, or each element of a list, one of those that a rule's text allows? */
bool attribute_allows_int(const char *values, int64_t);
bool attribute_allows_real(const char *values, double);
bool attribute_allows_text(const char *values, const char *text, size_t length);

/* Tells whether an attribute's value is one of those allowed; each format has its own. */
typedef bool attribute_allowed_fn(const frontend_attribute *, const char *values);

/* The node's attributes and what its table declares of them have to be set.  Each: false after a diagnostic. */
bool node_attributes_known(frontend_node *, attribute_allowed_fn *);
bool node_attributes_read(frontend_node *);
bool node_attributes_typed(frontend_node *);
/* Is `version` of the operator within those that its importer was written for?  what: "operator set" */
bool node_version_known(frontend_node *, int version, int oldest, int newest, const char *what);
/* The attribute, NULL when the file has none of that name.  Who wants its value sets `sought`, and `read` once it knows
 * that the type fits. */
frontend_attribute *node_attribute(frontend_node *, const char *name);
/* May it be looked up?  For names of which a part is the file's. */
bool node_attribute_is_declared(const frontend_node *, const char *name);

#ifndef FRONTEND_COMMON
#define node_attributes_known(x, ...) node_attributes_known(&(x)->common, __VA_ARGS__)
#define node_attributes_read(x) node_attributes_read(&(x)->common)
#define node_attributes_typed(x) node_attributes_typed(&(x)->common)
#define node_version_known(x, ...) node_version_known(&(x)->common, __VA_ARGS__)
#define node_attribute(x, ...) node_attribute(&(x)->common, __VA_ARGS__)
#define node_attribute_is_declared(x, ...) node_attribute_is_declared(&(x)->common, __VA_ARGS__)
#endif

#endif
