/* ref_space.c: ops that exchange pixels for channels or batches.  All are transpositions of the image cut into blocks:
 *
 *     depth_to_space   [N, H, W, (by, bx, C)]    ->  [N, (H, by), (W, bx), C]
 *     space_to_depth   [N, (H, by), (W, bx), C]  ->  [N, H, W, (by, bx, C)]
 *     space_to_batch   [N, (H, by), (W, bx), C]  ->  [(by, bx, N), H, W, C], after padding with the real value 0
 *     batch_to_space   [(by, bx, N), H, W, C]    ->  [N, (H, by), (W, bx), C], before cropping */
#include "ir/ref/ref_move.h"

typedef struct block {
    int64_t y, x;
} block;

static block block_of(const ir_op *op)
{
    return (block){ir_ints_at(op, IR_ATTR_BLOCK, 0), ir_ints_at(op, IR_ATTR_BLOCK, 1)};
}

static bool check_images(const ir_op *op, diag *d)
{
    const int64_t *sizes;
    if (ir_operand_type(op, 0)->rank != 4 || ir_result_type(op, 0)->rank != 4)
        return ir_refuse(op, d, "operand and result must be images of rank 4");
    if (ir_ints(op, IR_ATTR_BLOCK, &sizes) != 2 || sizes[0] < 1 || sizes[1] < 1 || sizes[0] > INT16_MAX ||
        sizes[1] > INT16_MAX)
        return ir_refuse(op, d, "block needs two positive sizes");
    return ir_check_same_quant(op, d);
}

/* ---- Channels: an image [N, (H, by), (W, bx), C] and its deep form [N, H, W, (by, bx, C)] ---- */

static bool check_depth(const ir_op *op, const ir_type *image, const ir_type *deep, diag *d)
{
    if (!check_images(op, d))
        return false;
    const block b = block_of(op);
    if (image->dims[0] != deep->dims[0] || image->dims[1] != deep->dims[1] * b.y ||
        image->dims[2] != deep->dims[2] * b.x || image->dims[3] * b.y * b.x != deep->dims[3])
        return ir_refuse(op, d, "the shapes do not belong to the block size");
    return true;
}

bool ir_check_depth_to_space(const ir_op *op, diag *d)
{
    return check_depth(op, ir_result_type(op, 0), ir_operand_type(op, 0), d);
}

bool ir_check_space_to_depth(const ir_op *op, diag *d)
{
    return check_depth(op, ir_operand_type(op, 0), ir_result_type(op, 0), d);
}

/* Both forms as boxes [N, H, W, by, bx, C]. */
static void exchange(const ir_type *image, const ir_type *deep, block b, bool to_image, void *to, const void *from)
{
    int64_t s[IR_MAX_RANK], t[IR_MAX_RANK];
    ir_dense_steps(image, s);
    ir_dense_steps(deep, t);
    const int64_t channels = image->dims[3];
    const int64_t image_steps[6] = {s[0], s[1] * b.y, s[2] * b.x, s[1], s[2], 1};
    const int64_t deep_steps[6] = {t[0], t[1], t[2], b.x * channels, channels, 1};
    ir_walk walk = {.rank = 6, .dims = {deep->dims[0], deep->dims[1], deep->dims[2], b.y, b.x, channels}};
    memcpy(walk.to_step, to_image ? image_steps : deep_steps, sizeof image_steps);
    memcpy(walk.from_step, to_image ? deep_steps : image_steps, sizeof image_steps);
    ir_move(&walk, ir_dtype_bytes(image->dtype), to, from);
}

bool ir_ref_depth_to_space(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    exchange(ir_result_type(op, 0), ir_operand_type(op, 0), block_of(op), true, results[0], operands[0]);
    return true;
}

bool ir_ref_space_to_depth(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    exchange(ir_operand_type(op, 0), ir_result_type(op, 0), block_of(op), false, results[0], operands[0]);
    return true;
}

/* ---- Batches: an image [N, H, W, C], its blocks [(by, bx, N), H', W', C], and a border of top, left, bottom, right
 * pixels that only the blocks have ---- */

static bool check_batches(const ir_op *op, const ir_type *image, const ir_type *batches, ir_attr_id border, diag *d)
{
    const int64_t *e;
    if (!check_images(op, d))
        return false;
    if (ir_ints(op, border, &e) != 4)
        return ir_refuse(op, d, "the border needs four extents");
    for (int i = 0; i < 4; i++)
        if (e[i] < 0 || e[i] > IR_MAX_BYTES)
            return ir_refuse(op, d, "the border has extent %lld", (long long)e[i]);
    const block b = block_of(op);
    if (batches->dims[0] != image->dims[0] * b.y * b.x || image->dims[3] != batches->dims[3] ||
        image->dims[1] + e[0] + e[2] != batches->dims[1] * b.y ||
        image->dims[2] + e[1] + e[3] != batches->dims[2] * b.x)
        return ir_refuse(op, d, "the shapes do not belong to the block size and the border");
    return true;
}

bool ir_check_space_to_batch(const ir_op *op, diag *d)
{
    return check_batches(op, ir_operand_type(op, 0), ir_result_type(op, 0), IR_ATTR_PAD, d);
}

bool ir_check_batch_to_space(const ir_op *op, diag *d)
{
    return check_batches(op, ir_result_type(op, 0), ir_operand_type(op, 0), IR_ATTR_CROPS, d);
}

/* Where the pixel (n, y, x) of the image, counted with its border, lies among the batches, in bytes. */
static size_t batch_offset(const ir_type *image, const ir_type *batches, block b, int64_t n, int64_t y, int64_t x)
{
    const int64_t batch = ((y % b.y) * b.x + x % b.x) * image->dims[0] + n;
    const int64_t pixel = (batch * batches->dims[1] + y / b.y) * batches->dims[2] + x / b.x;
    return (size_t)(pixel * batches->dims[3]) * ir_dtype_bytes(batches->dtype);
}

bool ir_ref_space_to_batch(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const block b = block_of(op);
    const int64_t top = ir_ints_at(op, IR_ATTR_PAD, 0), left = ir_ints_at(op, IR_ATTR_PAD, 1);
    const size_t width = ir_dtype_bytes(y->dtype), pixel = (size_t)x->dims[3] * width;
    unsigned char element[8];
    ir_element_of(y->dtype, op->operands[0].value->quant, 0, element);
    ir_fill(results[0], ir_type_elements(y), width, element);
    const unsigned char *from = operands[0];
    for (int64_t n = 0; n < x->dims[0]; n++)
        for (int64_t i = 0; i < x->dims[1]; i++)
            for (int64_t j = 0; j < x->dims[2]; j++, from += pixel)
                memcpy((unsigned char *)results[0] + batch_offset(x, y, b, n, i + top, j + left), from, pixel);
    return true;
}

bool ir_ref_batch_to_space(const ir_op *op, const void *const operands[], void *const results[], diag *d)
{
    (void)d;
    const ir_type *x = ir_operand_type(op, 0), *y = ir_result_type(op, 0);
    const block b = block_of(op);
    const int64_t top = ir_ints_at(op, IR_ATTR_CROPS, 0), left = ir_ints_at(op, IR_ATTR_CROPS, 1);
    const size_t pixel = (size_t)y->dims[3] * ir_dtype_bytes(y->dtype);
    unsigned char *to = results[0];
    for (int64_t n = 0; n < y->dims[0]; n++)
        for (int64_t i = 0; i < y->dims[1]; i++)
            for (int64_t j = 0; j < y->dims[2]; j++, to += pixel)
                memcpy(to, (const unsigned char *)operands[0] + batch_offset(y, x, b, n, i + top, j + left), pixel);
    return true;
}
