/* npy.c: "\x93NUMPY", version, header length, a Python dictionary as text padded to 64 bytes, the elements.
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (1, 224, 224, 3), } */
#include "compiler/run/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compiler/driver.h"
#include "ir/ref/interp.h"

static const struct {
    ir_dtype dtype;
    const char *descr;
} descriptions[] = {
    {IR_F32, "<f4"}, {IR_F64, "<f8"}, {IR_F16, "<f2"}, {IR_I8, "|i1"},  {IR_U8, "|u1"},   {IR_I16, "<i2"},
    {IR_U16, "<u2"}, {IR_I32, "<i4"}, {IR_U32, "<u4"}, {IR_I64, "<i8"}, {IR_BOOL, "|b1"},
};
enum {
    DESCRIPTIONS = sizeof descriptions / sizeof descriptions[0],
    PREAMBLE_BYTES = 10,
    PREAMBLE_MOST = 12,
    ALIGNMENT = 64
};

/* What follows 'key': in the header, or NULL. */
static const char *find_key(const char *header, const char *key)
{
    char quoted[32];
    snprintf(quoted, sizeof quoted, "'%s'", key);
    const char *at = strstr(header, quoted);
    if (!at)
        return NULL;
    at += strlen(quoted);
    at += strspn(at, " ");
    if (*at++ != ':')
        return NULL;
    return at + strspn(at, " ");
}

static bool parse_shape(const char *at, ir_type *type)
{
    if (*at++ != '(')
        return false;
    for (;;) {
        at += strspn(at, " ,");
        if (*at == ')')
            return true;
        char *end;
        errno = 0;
        const long long extent = strtoll(at, &end, 10);
        if (end == at || errno || extent < 0 || type->rank == IR_MAX_RANK)
            return false;
        type->dims[type->rank++] = extent;
        at = end;
    }
}

static bool parse_dictionary(const char *header, ir_type *type, const ir_loc *loc, diag *d)
{
    const char *descr = find_key(header, "descr"), *order = find_key(header, "fortran_order");
    const char *shape = find_key(header, "shape");
    if (!descr || !*descr || !order || !shape || !parse_shape(shape, type))
        return diag_error(d, loc, "malformed .npy header");
    for (int i = 0; i < DESCRIPTIONS; i++)
        if (strncmp(descr + 1, descriptions[i].descr, 3) == 0)
            type->dtype = descriptions[i].dtype;
    if (type->dtype == IR_DTYPE_NONE)
        return diag_error(d, loc, "element type %.8s is not supported", descr);
    return strncmp(order, "False", 5) == 0 || diag_error(d, loc, "arrays in Fortran order are not supported");
}

/* Where the dictionary begins, and how long it is, of a file that begins with these bytes. */
static bool parse_preamble(const uint8_t *bytes, size_t size, size_t *out_start, size_t *out_length, const ir_loc *loc,
                           diag *d)
{
    if (size < PREAMBLE_MOST || memcmp(bytes, "\x93NUMPY", 6) != 0 || bytes[6] < 1 || bytes[6] > 3)
        return diag_error(d, loc, "not a .npy file");
    *out_start = bytes[6] == 1 ? PREAMBLE_BYTES : PREAMBLE_MOST;
    *out_length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] > 1)
        *out_length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    return true;
}

/* `text`: length bytes and one more. */
static bool parse_text(char *text, size_t length, ir_type *type, const ir_loc *loc, diag *d)
{
    text[length] = 0;
    return parse_dictionary(text, type, loc, d);
}

static bool parse(const uint8_t *bytes, size_t size, npy_array *out, const ir_loc *loc, diag *d)
{
    size_t start = 0, length = 0;
    if (!parse_preamble(bytes, size, &start, &length, loc, d))
        return false;
    if (length > size - start)
        return diag_error(d, loc, "the .npy header is cut off");
    char *header = malloc(length + 1);
    if (!header)
        return diag_out_of_memory(d, loc);
    memcpy(header, bytes + start, length);
    const bool good = parse_text(header, length, &out->type, loc, d);
    free(header);
    if (!good)
        return false;
    if (!ir_type_valid(&out->type))
        return diag_error(d, loc, "array too large");
    const size_t wanted = ir_type_bytes(&out->type), have = size - start - length;
    if (have < wanted)
        return diag_error(d, loc, "%zu bytes of elements, expected %zu", have, wanted);
    out->bytes = malloc(wanted + 1);
    if (!out->bytes)
        return diag_out_of_memory(d, loc);
    memcpy(out->bytes, bytes + start + length, wanted);
    return true;
}

bool npy_read(const char *path, npy_array *out, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    uint8_t *bytes;
    size_t size;
    *out = (npy_array){0};
    if (!driver_read_file(path, &bytes, &size, d))
        return false;
    const bool good = parse(bytes, size, out, &loc, d);
    free(bytes);
    return good;
}

/* ---- Arrays that stay in their files ---- */

static bool read_at(int descriptor, int64_t from, size_t bytes, void *to, const ir_loc *loc, diag *d)
{
    for (char *at = to; bytes > 0;) {
        const ssize_t got = pread(descriptor, at, bytes, (off_t)from);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return diag_error(d, loc, "%s", strerror(errno));
        if (got == 0)
            return diag_error(d, loc, "the file is cut off");
        at += got;
        from += got;
        bytes -= (size_t)got;
    }
    return true;
}

/* Are all elements in a file of so many bytes? */
static bool fits(const npy_file *f, int64_t size)
{
    ir_type row = f->type;
    const int64_t rows = row.rank ? row.dims[0] : 1;
    if (row.rank)
        row.dims[0] = 1;
    const int64_t row_bytes = ir_type_valid(&row) ? (int64_t)ir_type_bytes(&row) : INT64_MAX;
    return row_bytes == 0 || rows <= (size - f->start) / row_bytes;
}

static bool open_array(npy_file *f, const ir_loc *loc, diag *d)
{
    struct stat info;
    uint8_t preamble[PREAMBLE_MOST];
    size_t start = 0, length = 0;
    if (fstat(f->descriptor, &info) != 0)
        return diag_error(d, loc, "%s", strerror(errno));
    const size_t head = info.st_size < PREAMBLE_MOST ? (size_t)info.st_size : PREAMBLE_MOST;
    if (!read_at(f->descriptor, 0, head, preamble, loc, d) || !parse_preamble(preamble, head, &start, &length, loc, d))
        return false;
    if (length > (size_t)info.st_size - start)
        return diag_error(d, loc, "the .npy header is cut off");
    char *header = malloc(length + 1);
    const bool good = (header || diag_out_of_memory(d, loc)) &&
                      read_at(f->descriptor, (int64_t)start, length, header, loc, d) &&
                      parse_text(header, length, &f->type, loc, d);
    free(header);
    f->start = (int64_t)(start + length);
    return good &&
           (fits(f, info.st_size) || diag_error(d, loc, "the file is cut off: it has less than the array's elements"));
}

static bool open_file(const char *path, npy_file *out, const ir_loc *loc, diag *d)
{
    *out = (npy_file){.path = strdup(path), .descriptor = -1};
    if (!out->path)
        return diag_out_of_memory(d, loc);
    out->descriptor = open(path, O_RDONLY | O_CLOEXEC);
    return out->descriptor >= 0 || diag_error(d, loc, "%s", strerror(errno));
}

bool npy_open(const char *path, npy_file *out, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    if (open_file(path, out, &loc, d) && open_array(out, &loc, d))
        return true;
    npy_close(out);
    return false;
}

static bool count_rows(npy_file *f, const ir_type *row, size_t more, const ir_loc *loc, diag *d)
{
    struct stat info;
    char text[IR_TYPE_TEXT_BYTES];
    const int64_t each = (int64_t)(ir_type_bytes(row) + more);
    if (fstat(f->descriptor, &info) != 0)
        return diag_error(d, loc, "%s", strerror(errno));
    if (row->rank == IR_MAX_RANK)
        return diag_error(d, loc, "samples of %d dimensions are not supported", IR_MAX_RANK);
    f->type = (ir_type){.dtype = row->dtype, .rank = row->rank + 1, .dims = {info.st_size / each}};
    memcpy(f->type.dims + 1, row->dims, (size_t)row->rank * sizeof row->dims[0]);
    return info.st_size % each == 0 ||
           diag_error(d, loc, "%lld bytes are not a number of samples %s%s", (long long)info.st_size,
                      ir_type_text(row, text), more ? " with labels" : "");
}

bool npy_open_raw(const char *path, const ir_type *row, size_t more, npy_file *out, diag *d)
{
    const ir_loc loc = {.file = path, .subgraph = -1, .node = -1};
    if (open_file(path, out, &loc, d) && count_rows(out, row, more, &loc, d))
        return true;
    npy_close(out);
    return false;
}

void npy_close(npy_file *f)
{
    if (f->descriptor >= 0)
        close(f->descriptor);
    free(f->path);
    *f = (npy_file){.descriptor = -1};
}

bool npy_read_elements(const npy_file *f, int64_t first, int64_t count, void *to, diag *d)
{
    const ir_loc loc = {.file = f->path, .subgraph = -1, .node = -1};
    const int64_t size = (int64_t)ir_dtype_bytes(f->type.dtype);
    return read_at(f->descriptor, f->start + first * size, (size_t)(count * size), to, &loc, d);
}

bool npy_write(output_set *files, int file, const ir_type *type, const void *elements, diag *d)
{
    char header[1024];
    int at = PREAMBLE_BYTES;
    const char *descr = "";
    for (int i = 0; i < DESCRIPTIONS; i++)
        if (descriptions[i].dtype == type->dtype)
            descr = descriptions[i].descr;
    at +=
        snprintf(header + at, sizeof header - (size_t)at, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (int i = 0; i < type->rank; i++)
        at += snprintf(header + at, sizeof header - (size_t)at, "%" PRId64 ", ", type->dims[i]);
    at += snprintf(header + at, sizeof header - (size_t)at, "), }");
    while ((at + 1) % ALIGNMENT)
        header[at++] = ' ';
    header[at++] = '\n';
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((at - PREAMBLE_BYTES) & 0xff);
    header[9] = (char)((at - PREAMBLE_BYTES) >> 8);

    const cg_part parts[] = {{header, (size_t)at}, {elements, ir_type_bytes(type)}};
    return output_add_parts(files, file, parts, 2, d);
}

double npy_element(const ir_type *type, const void *bytes, int64_t index)
{
    const uint8_t *at = (const uint8_t *)bytes + (size_t)index * ir_dtype_bytes(type->dtype);
    switch (type->dtype) {
#define DTYPE(NAME, text, size, ctype)                                                                                 \
    case IR_##NAME: {                                                                                                  \
        ctype value;                                                                                                   \
        memcpy(&value, at, sizeof value);                                                                              \
        return IR_##NAME == IR_F16 ? (double)ir_f16_to_f32((uint16_t)value) : (double)value;                           \
    }
#include "ir/dtypes.def"
#undef DTYPE
    default: return 0;
    }
}
