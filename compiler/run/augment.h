/* augment.h: samples changed at random, so that few of them say more.
 *
 *     flip     a picture left and right, every second one
 *     shift    a picture by up to so many pixels in each direction, what comes in repeating the border
 *     mix      share times the sample + (1 - share) times another one, every second one */
#ifndef QCC_AUGMENT_H
#define QCC_AUGMENT_H

#include "compiler/run/chance.h"
#include "compiler/run/preprocess.h"
#include "ir/diag.h"

typedef struct augmentation {
    bool flip;
    long shift;
    bool mix; /* what a label says nothing of */
} augmentation;

/* Other samples, to be mixed with. */
typedef struct augment_others {
    bool (*read)(void *context, int64_t number, void *to, diag *);
    void *context;
    int64_t count;
} augment_others;

bool augment_is_asked(const augmentation *);
/* Does it go with such an input, of one sample?  An error if not. */
bool augment_check(const augmentation *, const qcc_tensor_info *, diag *);
/* Changes the sample at `data`. */
bool augment_sample(const augmentation *, preprocess_layout, const qcc_tensor_info *, chance, const augment_others *,
                    float *data, diag *);

#endif
