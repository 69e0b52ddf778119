/* ops_generate.c: matrices and windows that follow from sizes, and determinants. */
#include <math.h>

#include "frontends/onnx/import.h"

/* ---- EyeLike ---- */

/* 1 on the diagonal that is k to the right of the main one, of the type that dtype names, or the operand's. */
bool ort_op_eye_like(ort_node *n)
{
    const int64_t to = ort_int(n, "dtype", 0), k = ort_int(n, "k", 0);
    ir_type like;
    if (!ort_shape(n, 0, &like))
        return false;
    const ir_dtype dtype = to ? ort_dtype(to) : like.dtype;
    if (like.rank != 2 || !dtype)
        return node_error(n, "a matrix of %d dimensions, or of type %lld", like.rank, (long long)to);
    const int64_t count = ir_type_elements(&like), columns = like.dims[1];
    if (!model_charge(n->model, &n->loc, count * 8))
        return false;
    int64_t *values = ARENA_ARRAY(n->model->graph->arena, int64_t, count + 1);
    for (int64_t i = 0; i < like.dims[0]; i++)
        if (k > -(1 << 30) && k < 1 << 30 && i + k >= 0 && i + k < columns)
            values[i * columns + i + k] = 1;
    ir_value *y = node_reshaped(n, node_ints(n, IR_I64, 1, count, values), 2, like.dims);
    if (y && dtype != IR_I64)
        y = node_done_quant(n, node_emit1(n, IR_CAST, y), dtype, NULL);
    return ort_put(n, 0, y, LAYOUT_PLAIN);
}

/* ---- HannWindow, HammingWindow, BlackmanWindow: sums of cosines ---- */

static bool window(ort_node *n, const double factors[3])
{
    int64_t size;
    int count;
    if (!ort_param_ints(n, 0, "size", 1, &size, &count))
        return false;
    if (count != 1 || size < 1 || size > 1 << 24)
        return node_error(n, "a window of %lld elements", count == 1 ? (long long)size : 0LL);
    const double period = (double)(ort_int(n, "periodic", 1) || size == 1 ? size : size - 1), turn = 2 * acos(-1);
    if (!model_charge(n->model, &n->loc, size * 8))
        return false;
    float *values = ARENA_ARRAY(n->model->graph->arena, float, size + 1);
    for (int64_t i = 0; i < size; i++) {
        const double angle = turn * (double)i / period;
        values[i] = (float)(factors[0] - factors[1] * cos(angle) + factors[2] * cos(2 * angle));
    }
    return ort_put(n, 0, node_reals(n, 1, &size, values), LAYOUT_PLAIN);
}

bool ort_op_hann_window(ort_node *n) { return window(n, (const double[3]){0.5, 0.5, 0}); }
bool ort_op_hamming_window(ort_node *n) { return window(n, (const double[3]){25.0 / 46, 21.0 / 46, 0}); }
bool ort_op_blackman_window(ort_node *n) { return window(n, (const double[3]){0.42, 0.5, 0.08}); }

/* ---- Det ---- */

enum { MOST_ROWS = 4 };

typedef struct matrix {
    ir_value *at[MOST_ROWS][MOST_ROWS]; /* of all matrices */
} matrix;

/* By the first row of those that are left: of each element, times the determinant of what its row and column leave.  columns: a bit
 * each. */
static ir_value *determinant(ort_node *n, const matrix *m, int rows, int row, unsigned columns)
{
    ir_value *sum = NULL;
    int index = 0;
    for (int c = 0; c < rows; c++) {
        if (!(columns >> c & 1))
            continue;
        ir_value *rest = row + 1 < rows ? determinant(n, m, rows, row + 1, columns & ~(1u << c)) : NULL;
        ir_value *part = row + 1 < rows ? node_binary(n, IR_MUL, m->at[row][c], rest) : m->at[row][c];
        sum = index == 0 ? part : node_binary(n, index % 2 ? IR_SUB : IR_ADD, sum, part);
        index++;
        if (!sum)
            return NULL;
    }
    return sum;
}

bool ort_op_det(ort_node *n)
{
    ir_value *x = ort_plain(n, 0);
    matrix m;
    if (!x)
        return false;
    const int rank = x->type.rank;
    const int64_t rows = rank < 2 ? 0 : x->type.dims[rank - 1];
    if (rank < 2 || x->type.dims[rank - 2] != rows || x->type.dtype != IR_F32)
        return node_error(n, "determinants are of square matrices of real numbers");
    if (rows < 1 || rows > MOST_ROWS)
        return node_error(n, "the determinant of %lld rows is not supported, of 1 to %d it is", (long long)rows,
                          MOST_ROWS);
    const int64_t count = ir_type_elements(&x->type) / (rows * rows);
    x = node_reshaped(n, x, 2, (int64_t[]){count, rows * rows});
    const ir_type one = ir_type_make(IR_F32, 2, (int64_t[]){count, 1});
    for (int i = 0; x && i < rows * rows; i++)
        if (!(m.at[i / rows][i % rows] = ort_cut(n, x, (int64_t[]){0, i}, (int64_t[]){1, 1}, &one)))
            return false;
    ir_value *y = x ? determinant(n, &m, (int)rows, 0, (1u << rows) - 1) : NULL;
    int64_t dims[IR_MAX_RANK];
    ir_type shape;
    if (!y || !ort_shape(n, 0, &shape))
        return false;
    for (int i = 0; i < rank - 2; i++)
        dims[i] = shape.dims[i];
    return ort_put(n, 0, node_reshaped(n, y, rank - 2, dims), LAYOUT_PLAIN);
}
