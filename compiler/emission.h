/* emission.h: what programs that write compiled models share: the options that say what is written, and the way from the
 * model file to the files.
 *
 *     emission e = {.options = driver_defaults(OPTION_QCC)};
 *     … emission_set(&e, OPT_OUTPUT, "model.o", …) …
 *     if (!emission_complete(&e) && emission_run(&e, &d)) …
 *     free(e.default_output); */
#ifndef QCC_EMISSION_H
#define QCC_EMISSION_H

#include "compiler/driver.h"

enum { EMISSION_NAME_BYTES = 256 };

typedef enum emission_kind {
    EMISSION_NONE,
    EMISSION_OBJECT,
    EMISSION_SHARED,
    EMISSION_ASSEMBLY,
    EMISSION_LLVM,
    EMISSION_IR,
    EMISSION_TFLITE
} emission_kind;

typedef struct emission {
    driver_options options;
    const char *model, *output, *header, *dot, *weights;
    driver_list reports;
    char *default_output; /* owned */
    char name[EMISSION_NAME_BYTES];
    bool no_header;
    emission_kind kind;
} emission;

/* Takes one of the options of it or of the driver, or the model (OPT_COUNT); *out_known is false when it is none. */
bool emission_set(emission *, option_id, const char *value, bool *out_known, char *error, size_t error_size);
/* What options say together; NULL, or what is wrong. */
const char *emission_complete(emission *);
bool emission_is_graph(const emission *); /* no machine code */
/* Reads the model, compiles, and writes. */
bool emission_run(emission *, diag *);

#endif
