/* image.h: pictures as bytes, and the usual preprocessing of classifiers. */
#ifndef QCC_IMAGE_H
#define QCC_IMAGE_H

#include <stdint.h>

#include "ir/diag.h"

typedef struct image {
    int width, height;
    uint8_t *rgb; /* height x width x 3; free() */
} image;

/* JPEG or PNG, recognised by content; greyscale becomes grey RGB, transparency is dropped. */
bool image_read(const char *path, image *out, diag *);
void image_free(image *);

/* Bilinear with antialiasing: when shrinking, the triangle filter widens with the factor. */
bool image_resize(image *, int width, int height);
/* The middle; parts outside are not possible: sizes are cut to the picture's. */
bool image_crop(image *, int width, int height);

#endif
