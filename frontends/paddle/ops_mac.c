/* ops_mac.c: convolutions, pools, matrix products.
 *
 * Filters come as [O, I/groups, KH, KW] and become [O, KH, KW, I/groups], or [1, KH, KW, O] when each channel has its
 * own.  Integer kernels have int8 filters with a scale for each output channel, a real bias, and a real or an int8
 * result. */
#include <math.h>
#include <string.h>

#include "frontends/node/node_conv.h"
#include "frontends/paddle/import.h"

static bool pair(paddle_node *n, const char *name, int64_t def, int64_t low, int64_t out[2])
{
    int count;
    out[0] = out[1] = def;
    if (!paddle_ints(n, name, 2, out, &count))
        return false;
    if (count == 1)
        out[1] = out[0];
    for (int i = 0; i < 2; i++)
        if (out[i] < low || out[i] > 1 << 20)
            return node_error(n, "attribute %s is out of range", name);
    return true;
}

/* The window's kernel is set. */
static bool read_window(paddle_node *n, const int64_t in[2], node_window *w)
{
    int64_t pads[4] = {0};
    int count;
    if (!pair(n, "strides", 1, 1, w->stride) || !pair(n, "dilations", 1, 1, w->dilation) ||
        !paddle_ints(n, "paddings", 4, pads, &count))
        return false;
    if (count != 0 && count != 2 && count != 4)
        return node_error(n, "attribute paddings has %d numbers", count);
    const char *algorithm = paddle_text(n, "padding_algorithm", "EXPLICIT");
    bool same = strcmp(algorithm, "SAME") == 0, valid = strcmp(algorithm, "VALID") == 0;
    for (int i = 0; i < 2; i++) {
        if (w->kernel[i] < 1 || w->kernel[i] > 1 << 20)
            return node_error(n, "the window is out of range");
        w->before[i] = valid ? 0 : count == 4 ? pads[2 * i] : pads[i];
        w->after[i] = valid ? 0 : count == 4 ? pads[2 * i + 1] : pads[i];
        if (same) {
            w->dilation[i] = 1;
            int64_t total = ((in[i] + w->stride[i] - 1) / w->stride[i] - 1) * w->stride[i] + w->kernel[i] - in[i];
            w->before[i] = total > 0 ? total / 2 : 0;
            w->after[i] = total > 0 ? total - total / 2 : 0;
        }
        if (w->before[i] < 0 || w->after[i] < 0 || w->before[i] > 1 << 20 || w->after[i] > 1 << 20)
            return node_error(n, "attribute paddings is out of range");
    }
    return true;
}

/* ---- Integer kernels ---- */

typedef struct product {
    ir_value *x, *w, *bias; /* bias: NULL when absent */
    bool integer, integer_result;
    float result_scale;
    paddle_activation act;
} product;

static bool first_float(paddle_node *n, const char *name, const char *other, float *out)
{
    const char *from = paddle_has_attr(n, name) ? name : other;
    int64_t count;
    *out = 0;
    return paddle_floats(n, from, 1, out, &count) && (count == 1 || node_error(n, "attribute %s is missing", name));
}

/* x and w of an integer kernel get their quantization; the bias stays real.  axis: of w's output channels. */
static bool make_integer(paddle_node *n, product *p, const char *input, const char *weights, const char *result,
                         int axis, int64_t channels)
{
    const char *kernel = paddle_text(n, "__@kernel_type_attr@__", "");
    arena *a = n->model->graph->arena;
    float x_scale, *scale = ARENA_ARRAY(a, float, channels + 1);
    int64_t count;
    if (!first_float(n, input, "X0_scale", &x_scale) ||
        !paddle_floats(n, paddle_has_attr(n, weights) ? weights : "Y0_scale", channels, scale, &count))
        return false;
    if (count != 1 && count != channels)
        return node_error(n, "%lld scales for %lld channels (attribute %s)", (long long)count, (long long)channels,
                          weights);
    for (int64_t i = 0; i < count; i++)
        if (!(scale[i] >= 0) || !isfinite(scale[i])) /* 0: a channel that was pruned */
            return node_error(n, "scale %lld of the weights is not a positive number", (long long)i);
    p->integer = true;
    p->integer_result = strstr(kernel, "int8_out") || strstr(kernel, "int8out");
    if (p->integer_result && !first_float(n, result, "Out0_scale", &p->result_scale))
        return false;
    if (!(p->x = paddle_quantized(n, p->x, x_scale)))
        return false;
    const ir_quant *q = ir_quant_new(n->model->graph, count == 1 ? -1 : axis, (int32_t)count, scale,
                                     ARENA_ARRAY(a, int32_t, count + 1));
    p->w = ir_const_new(n->model->graph, p->w->type, q, p->w->data);
    return true;
}

/* The product's op without its result: fused as far as integers go. */
static ir_value *finish(paddle_node *n, const product *p, ir_op *op, ir_type type)
{
    const ir_quant *q = NULL;
    bool fused = p->act.code == IR_RELU;
    if (p->integer)
        ir_set_int(op, IR_ATTR_ROUNDING, IR_ROUNDING_LITE_F32);
    if (fused)
        ir_set_int(op, IR_ATTR_ACT, p->act.act);
    if (p->integer_result && (!(p->result_scale > 0) || !isfinite(p->result_scale))) {
        node_error(n, "the result's scale is not a positive number");
        return NULL;
    }
    if (p->integer_result && fused)
        q = ir_quant_tensor(n->model->graph, p->result_scale, 0);
    type.dtype = q ? IR_I8 : IR_F32;
    ir_value *y = type.rank ? node_typed(n, op, type, q) : node_done_quant(n, op, type.dtype, q);
    y = paddle_activated(n, y, &p->act);
    return y && p->integer_result && !fused ? paddle_quantized(n, y, p->result_scale) : y;
}

static bool read_bias(paddle_node *n, int64_t channels, ir_value **out)
{
    *out = NULL;
    if (!paddle_count(n, "Bias"))
        return true;
    if (!(*out = paddle_param(n, "Bias")))
        return false;
    if ((*out)->type.dtype != IR_F32 || ir_type_elements(&(*out)->type) != channels)
        return node_error(n, "the bias must be %lld real numbers", (long long)channels);
    return (*out = node_reshaped(n, *out, 1, &channels)) != NULL;
}

static const char *activation_name(paddle_node *n)
{
    bool relu = paddle_int(n, "fuse_relu", 0), clamp = paddle_int(n, "fuse_brelu", 0);
    const char *flagged = clamp ? "relu6" : relu ? "relu" : "";
    return paddle_int(n, "with_act", 1) ? paddle_text(n, "act_type", flagged) : flagged;
}

/* Constant weights, or such behind a dequantize; whole numbers without scales (fake_quantize_… made them) become real.
 */
static ir_value *weights_of(paddle_node *n, const char *parameter, const char *scale)
{
    ir_value *w = paddle_plain(n, parameter);
    if (!w)
        return NULL;
    bool dequantized = w->def && w->def->code == IR_DEQUANTIZE && ir_is_const(w->def->operands[0].value);
    if (!ir_is_const(w) && !dequantized) {
        node_error(n, "operand %s must be constant", parameter);
        return NULL;
    }
    return w->type.dtype == IR_I8 && !paddle_has_attr(n, scale) ? paddle_cast(n, w, IR_F32) : w;
}

/* ---- Convolutions ---- */

bool paddle_op_conv(paddle_node *n)
{
    product p = {0};
    node_window win;
    float unit = 0;
    ir_value *w = weights_of(n, "Filter", "Input0_scale");
    bool linear = !paddle_count(n, "Bias") && !*activation_name(n);
    p.x = !w       ? NULL
          : linear ? paddle_in_units(n, "Input", 0, LAYOUT_LAST, &unit)
                   : paddle_in(n, "Input", 0, LAYOUT_LAST);
    if (!p.x || !paddle_absent(n, "ResidualData") || !paddle_activation_of(n, activation_name(n), &p.act))
        return false;
    if (p.x->type.rank != 4 || w->type.rank != 4)
        return node_error(n, "images and filters must have four dimensions");
    int64_t groups = paddle_int(n, "groups", 1), channels = p.x->type.dims[3], out = w->type.dims[0],
            depth = w->type.dims[1];
    if (groups < 1 || out < 1 || depth < 1 || channels % groups || channels / groups != depth || out % groups)
        return node_misfit(n, "%lld channels, %lld groups and filters of %lld x %lld channels don't fit",
                           (long long)channels, (long long)groups, (long long)out, (long long)depth);
    if (!read_bias(n, out, &p.bias))
        return false;
    bool depthwise = groups > 1 && depth == 1;
    p.w = node_transposed(n, w, depthwise ? (int64_t[]){1, 2, 3, 0} : (int64_t[]){0, 2, 3, 1});
    if (!p.w)
        return false;
    if (w->type.dtype == IR_I8 &&
        !make_integer(n, &p, "Input0_scale", "Filter0_scale", "Output0_scale", depthwise ? 3 : 0, out))
        return false;
    memcpy(win.kernel, &p.w->type.dims[1], sizeof win.kernel);
    if (!read_window(n, &p.x->type.dims[1], &win))
        return false;
    ir_op *op =
        node_emit(n, depthwise ? IR_DEPTHWISE_CONV2D : IR_CONV2D, p.bias ? 3 : 2, (ir_value *[]){p.x, p.w, p.bias});
    node_set_window(op, &win);
    if (!depthwise)
        ir_set_int(op, IR_ATTR_GROUPS, groups);
    return paddle_put(n, "Output", finish(n, &p, op, (ir_type){0}), LAYOUT_LAST) &&
           (unit == 0 || paddle_set_unit(n, "Output", unit));
}

/* The window of a transposed convolution: what is cut off at the ends, less than nothing where the result reaches past the
 * filters, by output_padding or output_size. */
static bool transposed_box(paddle_node *n, const ir_value *x, const int64_t kernel[2], node_box *out)
{
    node_window win = {.kernel = {kernel[0], kernel[1]}};
    int64_t extra[2], size[2];
    int sizes;
    if (!pair(n, "output_padding", 0, 0, extra) || !paddle_ints(n, "output_size", 2, size, &sizes) ||
        !read_window(n, &x->type.dims[1], &win))
        return false;
    *out = (node_box){0};
    for (int i = 0; i < 2; i++) {
        const int64_t full = (x->type.dims[1 + i] - 1) * win.stride[i] + (win.kernel[i] - 1) * win.dilation[i] + 1 -
                             win.before[i] - win.after[i];
        const int64_t past = sizes ? size[sizes - 1 ? i : 0] - full : extra[i];
        if (past < 0 || past > win.stride[i] * win.dilation[i])
            return node_error(n, "%lld pixels past the reach of the filters are not supported", (long long)past);
        out->stride[i] = win.stride[i];
        out->dilation[i] = win.dilation[i];
        out->before[i] = win.before[i];
        out->after[i] = win.after[i] - past;
    }
    return true;
}

bool paddle_op_conv_transpose(paddle_node *n)
{
    product p = {0};
    node_box box;
    node_transposed_conv t;
    const int64_t groups = paddle_int(n, "groups", 1);
    ir_value *w = weights_of(n, "Filter", "Input0_scale");
    p.x = w ? paddle_in(n, "Input", 0, LAYOUT_LAST) : NULL;
    if (!p.x || !paddle_activation_of(n, activation_name(n), &p.act))
        return false;
    if (p.x->type.rank != 4 || w->type.rank != 4 || w->type.dtype != IR_F32 || groups < 1 || groups > 1 << 20)
        return node_error(n, "other than real two-dimensional filters are not supported");
    if (!read_bias(n, w->type.dims[1] * groups, &p.bias) || !transposed_box(n, p.x, &w->type.dims[2], &box) ||
        !node_transpose_conv(n, p.x, w, p.bias, groups, &box, &t))
        return false;
    ir_value *y = finish(n, &p, t.op, t.image);
    return y && paddle_put(n, "Output", node_reshaped(n, y, t.whole.rank, t.whole.dims), LAYOUT_LAST);
}

/* ---- Pools ---- */

/* The window of a pool of n x n results, or of the whole image. */
static bool pool_window(paddle_node *n, const int64_t in[2], node_window *w, bool *out_uneven)
{
    bool whole = paddle_int(n, "global_pooling", 0);
    *out_uneven = false;
    if (!pair(n, "ksize", 1, 1, w->kernel))
        return false;
    if (!whole && !paddle_int(n, "adaptive", 0))
        return read_window(n, in, w);
    for (int i = 0; i < 2; i++) {
        int64_t results = whole ? 1 : w->kernel[i];
        if (in[i] < 1 || results > in[i])
            return node_error(n, "an adaptive pool of %lld into %lld pixels is not supported", (long long)in[i],
                              (long long)results);
        *out_uneven = *out_uneven || in[i] % results;
        w->kernel[i] = w->stride[i] = in[i] / results;
        w->before[i] = w->after[i] = 0;
        w->dilation[i] = 1;
    }
    return true;
}

enum { MAX_UNEVEN = 64 };

/* x reduced along dimension `at` to `results` windows, which may overlap: result i is of floor(i in / results) to
 * ceil((i + 1) in / results). */
static ir_value *uneven_pool(paddle_node *n, ir_value *x, bool average, int at, int64_t results)
{
    ir_value *parts[MAX_UNEVEN];
    int64_t extent = x->type.dims[at], begin[IR_MAX_RANK] = {0}, dims[IR_MAX_RANK];
    if (results > MAX_UNEVEN) {
        node_error(n, "an adaptive pool of %lld into %lld pixels is not supported", (long long)extent,
                   (long long)results);
        return NULL;
    }
    memcpy(dims, x->type.dims, sizeof dims);
    for (int64_t i = 0; i < results; i++) {
        begin[at] = i * extent / results;
        dims[at] = ((i + 1) * extent + results - 1) / results - begin[at];
        ir_value *part = paddle_sliced(n, x, begin, dims);
        if (!part)
            return NULL;
        ir_op *op = node_emit1(n, average ? IR_MEAN : IR_REDUCE_MAX, part);
        ir_set_ints(op, IR_ATTR_AXES, 1, (int64_t[]){at});
        ir_set_int(op, IR_ATTR_KEEP_DIMS, 1);
        if (!(parts[i] = node_done(n, op)))
            return NULL;
    }
    ir_op *op = node_emit(n, IR_CONCAT, (int)results, parts);
    ir_set_int(op, IR_ATTR_AXIS, at);
    return node_done(n, op);
}

bool paddle_op_pool(paddle_node *n)
{
    ir_value *x = paddle_in(n, "X", 0, LAYOUT_LAST);
    const char *type = paddle_text(n, "pooling_type", "");
    bool average = strcmp(type, "avg") == 0;
    node_window w;
    if (!x)
        return false;
    if (x->type.rank != 4 || (!average && strcmp(type, "max") != 0))
        return node_error(n, "a pool of type '%s' over an operand of %d dimensions is not supported", type,
                          x->type.rank);
    bool uneven;
    if (!pool_window(n, &x->type.dims[1], &w, &uneven))
        return false;
    if (uneven) {
        int64_t results[2];
        if (!pair(n, "ksize", 1, 1, results))
            return false;
        x = uneven_pool(n, x, average, 1, results[0]);
        return paddle_put(n, "Out", x ? uneven_pool(n, x, average, 2, results[1]) : NULL, LAYOUT_LAST);
    }
    bool padded = (w.before[0] | w.before[1] | w.after[0] | w.after[1]) != 0,
         inclusive = average && !paddle_int(n, "exclusive", 1);
    for (int i = 0; i < 2; i++) {
        int64_t room = x->type.dims[1 + i] + w.before[i] + w.after[i] - w.kernel[i];
        if (w.dilation[i] != 1 || room < 0)
            return node_misfit(n, "the window is dilated, or does not fit the image");
        if (!paddle_int(n, "ceil_mode", 0) || room % w.stride[i] == 0)
            continue;
        if (inclusive)
            return node_error(n, "ceil_mode without exclusive is not supported");
        w.after[i] += w.stride[i] - room % w.stride[i];
    }
    if (inclusive && padded) {
        if (!(x = node_padded(n, x, &w)))
            return false;
    }
    ir_op *op = node_emit(n, average ? IR_AVG_POOL2D : IR_MAX_POOL2D, 1, &x);
    node_set_window(op, &w);
    return paddle_put(n, "Out", node_done(n, op), LAYOUT_LAST);
}

/* ---- Matrix products ---- */

/* x[..., I] times w[I, O]; the result has x's leading dimensions. */
static ir_value *weighted(paddle_node *n, product *p, const char *weights)
{
    int64_t out = p->w->type.dims[1];
    bool integer = p->w->type.dtype == IR_I8;
    if (!(p->w = node_transposed(n, p->w, (int64_t[]){1, 0})))
        return NULL;
    if (integer && !make_integer(n, p, "Input0_scale", weights, "Output0_scale", 0, out))
        return NULL;
    ir_op *op = node_emit(n, IR_FULLY_CONNECTED, p->bias ? 3 : 2, (ir_value *[]){p->x, p->w, p->bias});
    return finish(n, p, op, (ir_type){0});
}

bool paddle_op_fc(paddle_node *n)
{
    product p = {0};
    float unit = 0;
    const char *act = paddle_text(n, "activation_type", "");
    p.w = weights_of(n, "W", "Input0_scale");
    p.x = !p.w                              ? NULL
          : *act || paddle_count(n, "Bias") ? paddle_plain(n, "Input")
                                            : paddle_in_units(n, "Input", 0, LAYOUT_PLAIN, &unit);
    if (!p.x || !paddle_activation_of(n, act, &p.act))
        return false;
    int64_t kept = paddle_int(n, "in_num_col_dims", 1), dims[IR_MAX_RANK], inner = 1;
    if (p.w->type.rank != 2 || kept < 1 || kept >= p.x->type.rank || paddle_int(n, "padding_weights", 0))
        return node_error(n, "an operand of %d dimensions, %lld of them kept, is not supported", p.x->type.rank,
                          (long long)kept);
    for (int i = 0; i < p.x->type.rank; i++) {
        dims[i < kept ? i : kept] = p.x->type.dims[i];
        inner *= i < kept ? 1 : p.x->type.dims[i];
    }
    dims[kept] = inner;
    if (inner != p.w->type.dims[0])
        return node_error(n, "%lld numbers times %lld rows of weights", (long long)inner, (long long)p.w->type.dims[0]);
    p.x = node_reshaped(n, p.x, (int)kept + 1, dims);
    return p.x && read_bias(n, p.w->type.dims[1], &p.bias) &&
           paddle_put(n, "Out", weighted(n, &p, "W0_scale"), LAYOUT_PLAIN) &&
           (unit == 0 || paddle_set_unit(n, "Out", unit));
}

/* Constant, or constant integers behind a dequantize. */
static bool is_weight(const ir_value *v)
{
    return ir_is_const(v) || (v->def && v->def->code == IR_DEQUANTIZE && ir_is_const(v->def->operands[0].value));
}

bool paddle_op_matmul(paddle_node *n)
{
    static const int64_t swap[] = {1, 0};
    product p = {0};
    float unit = 0;
    ir_value *y = paddle_plain(n, "Y"), *x = y ? paddle_in_units(n, "X", 0, LAYOUT_PLAIN, &unit) : NULL, *z;
    bool x_swapped = paddle_int(n, "trans_x", paddle_int(n, "transpose_X", 0));
    bool y_swapped = paddle_int(n, "trans_y", paddle_int(n, "transpose_Y", 0));
    float alpha = paddle_float(n, "alpha", 1);
    if (!x)
        return false;
    bool row = x->type.rank == 1, column = y->type.rank == 1; /* vectors */
    if (row && !(x = node_reshaped(n, x, 2, (int64_t[]){1, x->type.dims[0]})))
        return false;
    if (column && !(y = node_reshaped(n, y, 2, (int64_t[]){y->type.dims[0], 1})))
        return false;
    if (x->type.rank < 2 || y->type.rank < 2)
        return node_error(n, "products of single numbers are not supported");
    x_swapped = x_swapped && !row;
    y_swapped = y_swapped && !column;
    if (is_weight(y) && y->type.rank == 2 && !x_swapped) {
        if (y->type.dtype == IR_I8 && !paddle_has_attr(n, "Y0_scale") && !paddle_has_attr(n, "W0_scale"))
            y = paddle_cast(n, y, IR_F32);
        p.act.code = IR_RELU;
        p.x = x;
        p.w = y && y_swapped ? node_transposed(n, y, swap) : y;
        z = p.w ? weighted(n, &p, "Y0_scale") : NULL;
    } else {
        ir_op *op = node_emit(n, IR_BATCH_MATMUL, 2, (ir_value *[]){x, y});
        ir_set_int(op, IR_ATTR_ADJ_A, x_swapped);
        ir_set_int(op, IR_ATTR_ADJ_B, y_swapped);
        z = node_done(n, op);
    }
    if (z && alpha != 1)
        z = node_binary_act(n, IR_MUL, z, node_real(n, alpha), IR_ACT_NONE);
    z = node_vector_product(n, z, row, column);
    return paddle_put(n, "Out", z, LAYOUT_PLAIN) && (unit == 0 || paddle_set_unit(n, "Out", unit));
}

/* x and y as matrices: their first num_col_dims dimensions are rows. */
bool paddle_op_mul(paddle_node *n)
{
    product p = {0};
    float unit = 0;
    ir_value *w = weights_of(n, "Y", "Y0_scale"), *x = w ? paddle_in_units(n, "X", 0, LAYOUT_PLAIN, &unit) : NULL;
    int64_t split[2] = {paddle_int(n, "x_num_col_dims", 1), paddle_int(n, "y_num_col_dims", 1)},
            dims[2][2] = {{1, 1}, {1, 1}};
    int64_t out[2 * IR_MAX_RANK];
    int rank = 0;
    if (!x)
        return false;
    const ir_type *types[2] = {&x->type, &w->type};
    for (int i = 0; i < 2; i++) {
        if (split[i] < 1 || split[i] >= types[i]->rank)
            return node_error(n, "%lld of %d dimensions are no rows", (long long)split[i], types[i]->rank);
        for (int d = 0; d < types[i]->rank; d++) {
            dims[i][d >= split[i]] *= types[i]->dims[d];
            if ((d < split[i]) == (i == 0))
                out[rank++] = types[i]->dims[d];
        }
    }
    if (dims[0][1] != dims[1][0] || rank > IR_MAX_RANK)
        return node_error(n, "%lld columns times %lld rows", (long long)dims[0][1], (long long)dims[1][0]);
    p.act.code = IR_RELU;
    p.x = node_reshaped(n, x, 2, dims[0]);
    p.w = p.x ? node_reshaped(n, w, 2, dims[1]) : NULL;
    ir_value *z = p.w ? weighted(n, &p, "Y0_scale") : NULL;
    return paddle_put(n, "Out", z ? node_reshaped(n, z, rank, out) : NULL, LAYOUT_PLAIN) &&
           (unit == 0 || paddle_set_unit(n, "Out", unit));
}
