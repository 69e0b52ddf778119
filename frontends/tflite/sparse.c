/* sparse.c: sparse constants to dense ones.
 *
 * The file keeps a tensor of n dimensions, k of them cut into blocks, as a tree of n + k levels; traversal_order says
 * which dimension a level is (0 .. n-1 the dimensions, n .. n+k-1 the blocks within block_map[level - n]).  A DENSE
 * level has all its children, an CSR level those of its index list:
 *
 *     level 0  DENSE 2      level 1  CSR, segments [0, 2, 3], indices [0, 3, 1]      values [a b c]
 *     row 0: columns 0, 3   row 1: column 1           ──▶  [[a 0 0 b] [0 c 0 0]]
 *
 * Indices must ascend strictly within a segment, so the walk visits at most as many leaves as the tensor has
 * elements. */
#include <string.h>

#include "frontends/tflite/import.h"

enum { MAX_LEVELS = 2 * IR_MAX_RANK };

typedef struct index_list { /* of either width; bytes NULL: empty */
    fb_vector vector;
    int width; /* bytes of an index */
} index_list;

typedef struct level {
    int dim;       /* dimension of the tensor */
    bool in_block; /* the position within a block of that dimension */
    bool sparse;
    int64_t size;
    index_list segments, indices;
} level;

typedef struct sparse_walk {
    tflite_model *model;
    const ir_loc *loc;
    const ir_type *type;
    level levels[MAX_LEVELS];
    int level_count;
    int64_t block[IR_MAX_RANK];  /* 1 for dimensions that are not blocked */
    int64_t at[IR_MAX_RANK];     /* element at hand */
    int64_t stride[IR_MAX_RANK]; /* elements */
    const uint8_t *values;
    size_t value_count, next_value, element_bytes;
    uint8_t *dense;
} sparse_walk;

static bool bad(sparse_walk *w, const char *what)
{
    return diag_error(w->model->diag, w->loc, "malformed sparse constant: %s", what);
}

static int64_t list_at(index_list l, uint32_t i)
{
    return l.width == 1 ? fb_vec_u8(l.vector, i) : l.width == 2 ? fb_vec_u16(l.vector, i) : fb_vec_i32(l.vector, i);
}

static bool read_list(sparse_walk *w, fb_table t, unsigned type_field, index_list *out)
{
    int type = fb_u8(t, type_field, INDEX_VECTOR_NONE);
    if (type == INDEX_VECTOR_NONE || type > INDEX_VECTOR_U8)
        return bad(w, "a sparse dimension without indices");
    out->width = type == INDEX_VECTOR_I32 ? 4 : type == INDEX_VECTOR_U16 ? 2 : 1;
    out->vector = fb_vec(fb_sub(t, type_field + 1), 0, (uint32_t)out->width);
    return true;
}

static bool read_levels(sparse_walk *w, fb_table sparsity)
{
    fb_vector order = fb_vec(sparsity, SPARSITY_TRAVERSAL_ORDER, 4), map = fb_vec(sparsity, SPARSITY_BLOCK_MAP, 4);
    fb_vector metadata = fb_vec(sparsity, SPARSITY_DIM_METADATA, 4);
    uint32_t rank = (uint32_t)w->type->rank, seen = 0;
    if (map.count > rank || order.count != rank + map.count || metadata.count != order.count)
        return bad(w, "the number of its dimensions");
    w->level_count = (int)order.count;
    for (uint32_t i = 0; i < order.count; i++) {
        level *l = &w->levels[i];
        int32_t dim = fb_vec_i32(order, i);
        if (dim < 0 || (uint32_t)dim >= order.count || seen & 1u << dim)
            return bad(w, "its traversal order");
        seen |= 1u << dim;
        l->in_block = (uint32_t)dim >= rank;
        l->dim = l->in_block ? fb_vec_i32(map, (uint32_t)dim - rank) : dim;
        if (l->dim < 0 || (uint32_t)l->dim >= rank)
            return bad(w, "its block map");
        fb_table t = fb_vec_table(metadata, i);
        l->sparse = fb_u8(t, DIM_FORMAT, DIM_DENSE) == DIM_SPARSE_CSR;
        l->size = fb_i32(t, DIM_DENSE_SIZE, 0);
        if (l->sparse &&
            (!read_list(w, t, DIM_SEGMENTS_TYPE, &l->segments) || !read_list(w, t, DIM_INDICES_TYPE, &l->indices)))
            return false;
        if (l->in_block && (l->sparse || l->size < 1 || w->block[l->dim] != 1))
            return bad(w, "its blocks");
        if (l->in_block)
            w->block[l->dim] = l->size;
    }
    return true;
}

static bool check_levels(sparse_walk *w)
{
    for (int i = 0; i < w->level_count; i++) {
        level *l = &w->levels[i];
        if (l->in_block)
            continue;
        int64_t extent = w->type->dims[l->dim];
        if (extent % w->block[l->dim])
            return bad(w, "blocks that don't divide their dimension");
        extent /= w->block[l->dim];
        if (!l->sparse && l->size != extent)
            return bad(w, "the extent of a dimension");
        l->size = extent;
    }
    return fb_ok(&w->model->reader) || model_malformed(w->model, w->loc);
}

static bool store(sparse_walk *w)
{
    int64_t element = 0;
    if (w->next_value >= w->value_count)
        return bad(w, "fewer values than indices");
    for (int d = 0; d < w->type->rank; d++)
        element += w->at[d] * w->stride[d];
    memcpy(w->dense + (size_t)element * w->element_bytes, w->values + w->next_value * w->element_bytes,
           w->element_bytes);
    w->next_value++;
    return true;
}

/* Visits the children of the node that is number `parent` of its level. */
static bool walk(sparse_walk *w, int depth, int64_t parent)
{
    if (depth == w->level_count)
        return store(w);
    const level *l = &w->levels[depth];
    int64_t unit = l->in_block ? 1 : w->block[l->dim], base = w->at[l->dim];
    if (!l->sparse) {
        for (int64_t i = 0; i < l->size; i++) {
            w->at[l->dim] = base + i * unit;
            if (!walk(w, depth + 1, parent * l->size + i))
                return false;
        }
    } else {
        if (parent + 1 >= l->segments.vector.count)
            return bad(w, "too few segments");
        int64_t from = list_at(l->segments, (uint32_t)parent), to = list_at(l->segments, (uint32_t)parent + 1),
                last = -1;
        if (from < 0 || to < from || to > l->indices.vector.count)
            return bad(w, "a segment outside the indices");
        for (int64_t i = from; i < to; i++) {
            int64_t index = list_at(l->indices, (uint32_t)i);
            if (index <= last || index >= l->size)
                return bad(w, "an index out of order or outside its dimension");
            last = index;
            w->at[l->dim] = base + index * unit;
            if (!walk(w, depth + 1, i))
                return false;
        }
    }
    w->at[l->dim] = base;
    return true;
}

bool tflite_densify(tflite_scope *s, const ir_loc *loc, const tflite_tensor *t, const uint8_t *bytes, size_t size,
                    uint8_t *dense, size_t dense_bytes)
{
    sparse_walk w = {.model = s->model, .loc = loc, .type = &t->type, .values = bytes, .dense = dense};
    w.element_bytes = ir_dtype_bytes(t->type.dtype);
    w.value_count = size / w.element_bytes;
    int64_t stride = 1;
    for (int d = t->type.rank - 1; d >= 0; d--) {
        w.block[d] = 1;
        w.stride[d] = stride;
        stride *= t->type.dims[d];
    }
    if (!read_levels(&w, fb_sub(t->table, TENSOR_SPARSITY)) || !check_levels(&w))
        return false;
    return dense_bytes == 0 || walk(&w, 0, 0);
}
