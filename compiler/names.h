/* names.h: what a model may be called in C and C++ programs. */
#ifndef QCC_NAMES_H
#define QCC_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* A reason why a program that defines an object of this name, and includes any header, would not build, link or run;
 * NULL when there is none. */
const char *names_refuse(const char *name);

/* "my-net.v2.tflite" -> "my_net_v2", "malloc.o" -> "malloc_"; buffer gets a name that nothing is against. */
void names_from_path(const char *path, char *buffer, size_t size);

#endif
