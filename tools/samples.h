/* samples.h: labelled samples of a classifier, and how they become a model's input. */
#ifndef QCC_SAMPLES_H
#define QCC_SAMPLES_H

#include "tools/npy.h"
#include "tools/session.h"

typedef struct sample {
    char *path;  /* NULL: row `row` of the one array */
    int64_t row;
    long label;
} sample;

typedef struct sample_set {
    sample *items;
    int count, room;
    npy_array all; /* bytes NULL: samples are files */
} sample_set;

typedef enum sample_layout { LAYOUT_AUTO, LAYOUT_NHWC, LAYOUT_NCHW } sample_layout;

typedef struct preprocessing {
    int resize_width, resize_height; /* 0: not given; height -1: width is for the short side */
    int crop_width, crop_height;     /* 0: not given */
    bool crop_first, bgr, normalized; /* normalized: mean or std given */
    double mean[3], std[3];
    sample_layout layout;
} preprocessing;

typedef struct sample_options {
    const char *data, *labels, *label_column;
    long label_offset, limit; /* limit 0: all */
    int64_t classes;          /* of the model */
} sample_options;

bool samples_load(const sample_options *, sample_set *out, diag *);
void samples_free(sample_set *);

/* Fills input 0 of the session with a sample. */
bool sample_prepare(const sample_set *, int index, const preprocessing *, session *, diag *);

#endif
