/* node_attributes.c: attributes and versions of a node against what its operator's row declares. */
#define FRONTEND_COMMON
#include "frontends/node/node_attributes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- Declarations ---- */

/* Is that what a declared word, without its mark, stands for?  A # is the name of a parameter and a number. */
static bool stands_for(const char *word, size_t length, const char *name)
{
    static const char digits[] = "0123456789";
    if (length && *word == '#') {
        const size_t parameter = strcspn(name, digits), number = strspn(name + parameter, digits);
        if (!parameter || !number)
            return false;
        name += parameter + number;
        word++;
        length--;
    }
    return length && strlen(name) == length && memcmp(word, name, length) == 0;
}

attribute_rule attribute_rule_of(const char *declared, const char *name)
{
    attribute_rule rule = {ATTRIBUTE_UNKNOWN, ""};
    for (const char *word = declared; word && *word;) {
        const size_t whole = strcspn(word, " "), length = strcspn(word, " ~=:");
        if (stands_for(word, length, name)) {
            const char *rest = word + length;
            rule.use = *rest == '~' ? ATTRIBUTE_IGNORED : *rest == '=' ? ATTRIBUTE_FIXED : ATTRIBUTE_READ;
            if (*rest == '=' || *rest == ':') {
                assert(whole - length <= sizeof rule.values);
                memcpy(rule.values, rest + 1, whole - length - 1);
            }
            return rule;
        }
        word += whole + (word[whole] == ' ');
    }
    return rule;
}

static attribute_rule rule_in(const frontend_node *n, const char *name)
{
    const attribute_rule own = attribute_rule_of(n->declared, name);
    return own.use == ATTRIBUTE_UNKNOWN ? attribute_rule_of(n->declared_by_all, name) : own;
}

/* ---- Values ---- */

bool attribute_allows_text(const char *values, const char *text, size_t length)
{
    for (const char *v = values;; v++) {
        const size_t size = strcspn(v, "|");
        if (size == length && memcmp(v, text, length) == 0)
            return true;
        v += size;
        if (!*v)
            return false;
    }
}

bool attribute_allows_real(const char *values, double value)
{
    for (const char *v = values;; v++) {
        char *end;
        const double allowed = strtod(v, &end);
        if (end != v && allowed == value)
            return true;
        v += strcspn(v, "|");
        if (!*v)
            return false;
    }
}

bool attribute_allows_int(const char *values, int64_t value)
{
    return value > -((int64_t)1 << 53) && value < (int64_t)1 << 53 && attribute_allows_real(values, (double)value);
}

/* ---- Nodes ---- */

bool node_attributes_known(frontend_node *n, attribute_allowed_fn *allowed)
{
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        const frontend_attribute *a = &n->attributes[i];
        const attribute_rule rule = rule_in(n, a->name);
        if (rule.use == ATTRIBUTE_UNKNOWN)
            return node_error(n, "the attribute %.60s is not supported: export the model without it", a->name);
        if (*rule.values && !allowed(a, rule.values))
            return node_error(
                n, "the attribute %.60s with another value than %s is not supported: export the model with that",
                a->name, rule.values);
    }
    return true;
}

bool node_attributes_read(frontend_node *n)
{
    for (uint32_t i = 0; i < n->attribute_count; i++)
        if (!n->attributes[i].read && rule_in(n, n->attributes[i].name).use == ATTRIBUTE_READ)
            return node_error(n,
                              "the attribute %.60s is not supported in this form of the operator, or has a wrong type",
                              n->attributes[i].name);
    return true;
}

bool node_attributes_typed(frontend_node *n)
{
    for (uint32_t i = 0; i < n->attribute_count; i++)
        if (n->attributes[i].sought && !n->attributes[i].read)
            return node_error(n, "the attribute %.60s has a wrong type", n->attributes[i].name);
    return true;
}

bool node_version_known(frontend_node *n, int version, int oldest, int newest, const char *what)
{
    if (version > newest)
        return node_error(
            n, "the operator changed in %s %d and is supported up to %d: convert the model to %s %d or older", what,
            version, newest, what, version - 1);
    return version >= oldest ||
           node_error(n, "the operator of %s %d is supported from %d on only: convert the model to it", what, version,
                      oldest);
}

bool node_attribute_is_declared(const frontend_node *n, const char *name)
{
    const attribute_use use = rule_in(n, name).use;
    return use == ATTRIBUTE_READ || use == ATTRIBUTE_FIXED;
}

frontend_attribute *node_attribute(frontend_node *n, const char *name)
{
    assert(node_attribute_is_declared(n, name)); /* add it to the operator's row */
    for (uint32_t i = 0; i < n->attribute_count; i++)
        if (strcmp(n->attributes[i].name, name) == 0)
            return &n->attributes[i];
    return NULL;
}
