/* preprocess.h: how a picture, or an array, becomes a model's input. */
#ifndef QCC_PREPROCESS_H
#define QCC_PREPROCESS_H

#include "compiler/options.h"
#include "compiler/run/npy.h"
#include "runtime/qcc.h"

typedef enum preprocess_layout { LAYOUT_AUTO, LAYOUT_NHWC, LAYOUT_NCHW } preprocess_layout;

/* Files of numbers alone: samples of one type, one behind the other, and then, if `labels` says of which type, as
 * many labels. */
typedef struct preprocess_raw {
    ir_type sample; /* dtype IR_DTYPE_NONE: files say themselves what they are */
    ir_dtype labels;
} preprocess_raw;

typedef struct preprocessing {
    preprocess_raw raw;
    int resize_width, resize_height;  /* 0: not given; height -1: width is for the short side */
    int crop_width, crop_height;      /* 0: not given */
    double middle;                    /* neither given: what part of the picture's middle is seen, 0 being all */
    bool crop_first, bgr, normalized; /* normalized: mean or std given */
    double mean[3], std[3];
    preprocess_layout layout;
} preprocessing;

/* Nothing but what the model's input asks for: the middle of the picture in its proportions, scaled. */
#define PREPROCESSING_NONE ((preprocessing){.std = {1, 1, 1}})

/* Takes one of the options --preprocess, --resize, --crop, --mean, --std, --layout, --bgr, --raw; *out_known is false when it is
 * none of them. */
bool preprocess_set(preprocessing *, option_id, const char *value, bool *out_known, char *error, size_t error_size);

/* What becomes of a picture, for people: "the middle in the proportions of the input, scaled to 224x224, RGB, …". */
enum { PREPROCESS_TEXT = 256 };
bool preprocess_describe(const preprocessing *, const qcc_tensor_info *info, char text[PREPROCESS_TEXT], diag *);

/* Fills the input that `info` describes: from a JPEG or PNG file, or from an array's elements, `path` being its file
 * for diagnostics. */
bool preprocess_picture(const char *path, const preprocessing *, const qcc_tensor_info *info, void *to, diag *);
bool preprocess_array(const ir_type *from, const void *elements, const char *path, const qcc_tensor_info *info,
                      void *to, diag *);

ir_type preprocess_type(const qcc_tensor_info *); /* of an input */

#endif
