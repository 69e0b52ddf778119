/* describe.h: what a model asks for, whether or not it can be compiled: qcc --describe, as text or as one JSON object. */
#ifndef QCC_DESCRIBE_H
#define QCC_DESCRIBE_H

#include <stdio.h>

#include "compiler/driver.h"

/* Reads the model and prints what it is, also where something of it is refused; false after a diagnostic, about a file
 * that is no model or damaged. */
bool describe_model(const driver_options *, const char *path, bool json, FILE *, diag *);

#endif
