/* show_output.c: the first elements, the extremes, and the class with the best score. */
#include "tools/run/show_output.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "compiler/run/npy.h"

enum { SHOWN_ELEMENTS = 8 };

/* Of the first element that none is larger than, if sign is 1, or smaller, if it is -1; -1: there are no numbers. */
static int64_t extreme(const session *s, uint32_t index, int sign)
{
    const ir_type *type = &s->output_types[index];
    const int64_t count = ir_type_elements(type);
    double best = -INFINITY;
    int64_t at = -1;
    for (int64_t i = 0; i < count; i++) {
        const double x = sign * npy_element(type, s->output_buffers[index], i);
        if (!isnan(x) && (at < 0 || x > best)) {
            best = x;
            at = i;
        }
    }
    return at;
}

/* "-3 (0.5) at 0,12,7", positions without dimensions of 1 */
static void print_element(const session *s, uint32_t index, int64_t at)
{
    const ir_type *type = &s->output_types[index];
    printf("%.7g", npy_element(type, s->output_buffers[index], at));
    if (s->outputs[index].scale > 0)
        printf(" (%.7g)", session_real(s, index, at));
    printf(" at ");
    int64_t left = ir_type_elements(type);
    bool first = true;
    for (int i = 0; i < type->rank; i++) {
        left /= type->dims[i];
        if (type->dims[i] > 1)
            printf("%s%" PRId64, first ? "" : ",", at / left);
        first = first && type->dims[i] == 1;
        at %= left;
    }
}

bool show_is_row(const ir_type *type)
{
    int wide = 0;
    for (int i = 0; i < type->rank; i++)
        wide += type->dims[i] > 1;
    return wide == 1;
}

static void print_extremes(const session *s, uint32_t index)
{
    const int64_t largest = extreme(s, index, 1), smallest = extreme(s, index, -1);
    if (largest < 0)
        return;
    printf("  largest ");
    print_element(s, index, largest);
    printf(", smallest ");
    print_element(s, index, smallest);
    if (show_is_row(&s->output_types[index]))
        printf("; class %" PRId64, largest);
    printf("\n");
}

void show_output(const session *s, uint32_t index)
{
    const qcc_tensor_info *info = &s->outputs[index];
    const ir_type *type = &s->output_types[index];
    const int64_t count = ir_type_elements(type);
    printf("%s: %s ", info->name, ir_dtype_text(type->dtype));
    for (int i = 0; i < type->rank; i++)
        printf("%s%" PRId64, i ? "x" : "", type->dims[i]);
    if (info->scale > 0)
        printf(", scale %.9g, zero %" PRId32, (double)info->scale, info->zero_point);
    printf(":");
    for (int64_t i = 0; i < count && i < SHOWN_ELEMENTS; i++)
        printf(" %.7g", npy_element(type, s->output_buffers[index], i));
    printf(count > SHOWN_ELEMENTS ? " ...\n" : "\n");
    if (count > 1)
        print_extremes(s, index);
}
