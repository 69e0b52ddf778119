/* report_json.h: building the report's JSON, with one look at the end at whether all of it could be made.
 *
 *     report_put(r, object, "ops", json_integer(n));    // Jansson's constructors return NULL when memory is out; so may these
 *     … r->failed …
 */
#ifndef QCC_REPORT_JSON_H
#define QCC_REPORT_JSON_H

#include <jansson.h>

#include "compiler/report/report.h"

typedef struct report_builder {
    arena *memory; /* for names that can't be written as they are */
    const ir_graph *g;
    const report_facts *facts;
    const target_info *estimated_for;
    bool failed; /* memory was out at some place: what was built is not whole */
} report_builder;

void report_put(report_builder *, json_t *object, const char *key, json_t *value);
void report_push(report_builder *, json_t *array, json_t *value);
/* JSON has no infinity and no NaN: such a number is left out. */
void report_put_real(report_builder *, json_t *object, const char *key, double value);
/* Names come from files and need not be UTF-8: then what is not ASCII becomes '?'. */
const char *report_utf8(arena *, const char *text);
/* The same as a string of JSON.  NULL is "". */
json_t *report_string(report_builder *, const char *text);

#endif
