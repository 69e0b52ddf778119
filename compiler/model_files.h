/* model_files.h: files beside a model that the model names, such as weights apart from their graph.
 *
 * A model is not trusted: it reaches files in its own folder and below, and nothing else, whatever the names say and
 * wherever symbolic links lead. */
#ifndef QCC_MODEL_FILES_H
#define QCC_MODEL_FILES_H

#include "compiler/output/output.h"
#include "frontends/frontend.h"

typedef struct model_file model_file;

typedef struct model_files {
    const char *model;   /* path of the model, "-": stdin */
    const char *folder;  /* where the files are; NULL: in the model's own folder */
    output_set *outputs; /* none of which may be such a file; NULL: there are none */
    model_file *first;
} model_files;

/* A frontend_open_fn; context: the model_files. */
const uint8_t *model_files_open(void *context, const char *name, const ir_loc *, size_t *out_size, diag *);
void model_files_free(model_files *);

/* The program in a folder that stands for a model, as Paddle saves them: __model__, or a file that ends in .pdmodel, or
 * in .json.  *out_path is malloc'd, or NULL when `path` is no folder; false after a diagnostic. */
bool model_files_program(const char *path, char **out_path, diag *);

#endif
