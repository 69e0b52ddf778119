/* frontend.c: recognises a model's format by its content and calls the importer.
 *
 *     bytes 4..7 "TFL3"   TFLite
 *     bytes 4..7 "ORTM"   ONNX Runtime
 *     u16 version 0..2, then a dotted version number in text   Paddle Lite
 *     printable text      the compiler's own textual IR, whose first word is graph
 *     {"base_code"        Paddle, as PaddlePaddle 3 saves it
 *     fields of ModelProto, among them its version and its graph   ONNX
 *
 *     one field, a BlockDesc, of ProgramDesc first         Paddle
 *
 * in that order: Protocol Buffers have no mark. */
#include "frontends/frontend.h"

#include <string.h>

#include "frontends/flatbuffer.h"
#include "frontends/protobuf.h"
#include "ir/batch.h"
#include "ir/ref/interp.h"
#include "ir/size_limits.h"

/* Paddle Lite: u16 meta version, char[16] library version such as "v2.12" or "2.8-rc". */
static bool is_paddle(const uint8_t *bytes, size_t size)
{
    if (size < 26 || fb_load_u16(bytes) > 2)
        return false;
    const uint8_t *text = bytes + 2;
    bool digit = false;
    for (int i = 0; i < 16; i++) {
        if (!text[i])
            return digit;
        if (text[i] < 0x20 || text[i] > 0x7e)
            return false;
        digit |= text[i] >= '0' && text[i] <= '9';
    }
    return digit;
}

/* What follows white space and comments. */
static size_t skip_blanks(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        const uint8_t c = bytes[at];
        if (c == '/' && at + 1 < size && bytes[at + 1] == '/')
            while (at < size && bytes[at] != '\n')
                at++;
        else if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            at++;
        else
            break;
    }
    return at;
}

/* No control bytes in the first stretch, and the first word, as far as it is there. */
static bool is_text(const uint8_t *bytes, size_t size)
{
    static const char word[] = "graph";
    const size_t length = size < 256 ? size : 256, at = skip_blanks(bytes, size), left = size - at;
    for (size_t i = 0; i < length; i++)
        if ((bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t') || bytes[i] == 0x7f)
            return false;
    return length > 0 && memcmp(bytes + at, word, left < sizeof word - 1 ? left : sizeof word - 1) == 0;
}

/* The first member of PaddlePaddle 3's programs. */
static bool is_pir(const uint8_t *bytes, size_t size)
{
    static const char name[] = "\"base_code\"";
    size_t at = skip_blanks(bytes, size);
    if (at == size || bytes[at++] != '{')
        return false;
    at += skip_blanks(bytes + at, size - at);
    return size - at >= sizeof name - 1 && memcmp(bytes + at, name, sizeof name - 1) == 0;
}

/* ONNX's ModelProto: fields of it alone, among them its version and, as far as the bytes go, its graph or what may be
 * long in front of it. */
static bool is_onnx(const uint8_t *bytes, size_t size)
{
    enum { VERSION, GRAPH, OPSETS, DOC };
    /* clang-format off */
    static const pb_kind fields[] = {
        [VERSION] = {1, PB_VARINT}, [GRAPH] = {7, PB_BYTES}, [OPSETS] = {8, PB_BYTES}, [DOC] = {6, PB_BYTES}, {2, PB_BYTES},
        {3, PB_BYTES},  {4, PB_BYTES},  {5, PB_VARINT}, {14, PB_BYTES}, {20, PB_BYTES}, {25, PB_BYTES}, {26, PB_BYTES},
    };
    /* clang-format on */
    unsigned seen;
    return pb_could_be(bytes, size, fields, sizeof fields / sizeof *fields, &seen) && seen >> VERSION & 1 &&
           seen & (1u << GRAPH | 1u << OPSETS | 1u << DOC);
}

/* Paddle's ProgramDesc: fields of it alone, and its first block begins as one does, with its number. */
static bool is_program(const uint8_t *bytes, size_t size)
{
    enum { BLOCKS };
    static const pb_kind fields[] = {[BLOCKS] = {1, PB_BYTES}, {4, PB_BYTES}, {5, PB_BYTES}};
    unsigned seen;
    if (!pb_could_be(bytes, size, fields, sizeof fields / sizeof *fields, &seen) || !(seen >> BLOCKS & 1))
        return false;
    size_t at = 1;
    while (at < size && at < 11 && bytes[at] & 0x80) /* the length of the first field */
        at++;
    return bytes[0] == (1 << 3 | PB_BYTES) && at + 3 < size && bytes[at + 1] == (1 << 3 | PB_VARINT) &&
           bytes[at + 2] == 0 && bytes[at + 3] == (2 << 3 | PB_VARINT);
}

typedef enum file_format {
    FORMAT_NONE,
    FORMAT_TFLITE,
    FORMAT_ORT,
    FORMAT_PADDLE,
    FORMAT_TEXT,
    FORMAT_ONNX,
    FORMAT_PROGRAM,
    FORMAT_PIR
} file_format;

static const char *const format_names[] = {
    [FORMAT_TFLITE] = "TFLite",        [FORMAT_ORT] = "ONNX Runtime",
    [FORMAT_PADDLE] = "Paddle Lite",   [FORMAT_ONNX] = "ONNX",
    [FORMAT_PROGRAM] = "PaddlePaddle", [FORMAT_TEXT] = "textual IR",
    [FORMAT_PIR] = "PaddlePaddle 3",   [FORMAT_NONE] = NULL,
};

static file_format recognise(const uint8_t *bytes, size_t size, const ir_loc *loc, diag *d)
{
    if (!size)
        diag_error(d, loc, "the file is empty");
    else if (fb_identifier_is(bytes, size, "TFL3"))
        return FORMAT_TFLITE;
    else if (fb_identifier_is(bytes, size, "ORTM"))
        return FORMAT_ORT;
    else if (is_paddle(bytes, size))
        return FORMAT_PADDLE;
    else if (is_text(bytes, size))
        return FORMAT_TEXT;
    else if (is_pir(bytes, size))
        return FORMAT_PIR;
    else if (is_onnx(bytes, size))
        return FORMAT_ONNX;
    else if (is_program(bytes, size))
        return FORMAT_PROGRAM;
    else if (bytes[skip_blanks(bytes, size) % size] == '{')
        diag_error(d, loc, "the file is JSON, but no program of PaddlePaddle 3, which begins with base_code");
    else
        diag_error(
            d, loc,
            "the format is not recognised: neither TFLite, ONNX, ONNX Runtime, Paddle, Paddle Lite nor textual IR");
    return FORMAT_NONE;
}

bool frontend_recognise(const uint8_t *head, size_t size, const char *file, diag *d)
{
    const ir_loc loc = {.file = file, .subgraph = -1, .node = -1};
    return recognise(head, size, &loc, d) != FORMAT_NONE;
}

/* Text may say what is not well-formed or has no meaning. */
static bool is_sound(const ir_graph *g, diag *d)
{
    bool sound = ir_verify(g, d);
    for (const ir_op *op = g->first; op && sound; op = op->next)
        sound = ir_op_supported(op, d);
    return sound;
}

static ir_graph *import_text(const char *text, size_t size, const char *file, const frontend_options *o, diag *d)
{
    const ir_loc loc = {.file = file, .subgraph = -1, .node = -1};
    if (o->input_shape_count || o->input_value_count) {
        diag_error(d, &loc, "the shapes of textual IR can't be changed but by --batch, nor the values of its inputs");
        return NULL;
    }
    ir_graph *g = ir_parse_within(text, size, file, ir_limits_of(size, o->max_bytes), d);
    if (g && is_sound(g, d) && (!o->batch || ir_batch_set(g, o->batch, d))) {
        if (o->description)
            frontend_describe_graph(g, o->batch, o->description);
        return g;
    }
    ir_graph_free(g);
    return NULL;
}

static ir_graph *import(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options, diag *d)
{
    const ir_loc loc = {.file = file, .subgraph = -1, .node = -1};
    const file_format format = recognise(bytes, size, &loc, d);
    if (options->params && format != FORMAT_NONE && format != FORMAT_PROGRAM && format != FORMAT_PIR) {
        diag_error(d, &loc, "the model is no Paddle program, which alone has its parameters elsewhere");
        return NULL;
    }
    if (options->description)
        options->description->format = format_names[format];
    switch (format) {
    case FORMAT_TFLITE: return frontend_import_tflite(bytes, size, file, options, d);
    case FORMAT_ORT: return frontend_import_ort(bytes, size, file, options, d);
    case FORMAT_ONNX: return frontend_import_onnx(bytes, size, file, options, d);
    case FORMAT_PROGRAM: return frontend_import_paddle_program(bytes, size, file, options, d);
    case FORMAT_PIR: return frontend_import_paddle_json(bytes, size, file, options, d);
    case FORMAT_PADDLE: return frontend_import_paddle(bytes, size, file, options, d);
    case FORMAT_TEXT: return import_text((const char *)bytes, size, file, options, d);
    case FORMAT_NONE: break;
    }
    return NULL;
}

typedef struct import_call {
    const uint8_t *bytes;
    size_t size;
    const char *file;
    const frontend_options *options;
    diag *diag;
    ir_graph *graph;
} import_call;

static void run_import(void *context)
{
    import_call *c = context;
    c->graph = import(c->bytes, c->size, c->file, c->options, c->diag);
}

ir_graph *frontend_import(const uint8_t *bytes, size_t size, const char *file, const frontend_options *options, diag *d)
{
    static const frontend_options none = {0};
    import_call call = {bytes, size, file, options ? options : &none, d, NULL};
    const arena_outcome outcome = arena_guard(run_import, &call);
    if (outcome == ARENA_DONE)
        return call.graph;
    const ir_loc loc = {.file = file, .subgraph = -1, .node = -1};
    ir_limits_memory(d, &loc, outcome);
    return NULL;
}

bool frontend_support_at(int index, frontend_support *out)
{
    typedef bool lister(int, frontend_support *);
    static lister *const formats[] = {frontend_tflite_support, frontend_onnx_support, frontend_paddle_support};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        int count = 0;
        while (formats[i](count, out)) {
            if (index-- == 0)
                return true;
            count++;
        }
    }
    return false;
}
