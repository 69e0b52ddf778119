/* scan.h: characters, words, strings, numbers and lists of the text form; what values.c and parse.c are made of.
 * Each function skips white space and comments first; those that return false have reported the defect. */
#ifndef QCC_IR_SCAN_H
#define QCC_IR_SCAN_H

#include "ir/private.h"

enum {
    ID_LIMIT = 1 << 24,   /* passes allocate arrays by id */
    LIST_LIMIT = 1 << 20, /* elements of a list */
    OPERAND_LIMIT = 1 << 16,
    NUMBER_CHARS = 64
};

typedef struct slice {
    const char *at;
    size_t length;
} slice;

typedef struct entry {
    slice name; /* empty: a free slot */
    ir_value *value;
} entry;

typedef struct parser {
    const char *at, *end;
    int32_t line, start; /* present line; that where the statement began */
    ir_loc loc;          /* of the statement: file and line */
    diag *d;
    ir_graph *g;
    arena *scratch;
    entry *table; /* open addressing, size a power of two */
    size_t table_size, table_used;
    ir_value **named; /* values that get their numbers at the end */
    size_t named_count, named_capacity;
    uint32_t next_number;
} parser;

bool ir_scan_fail(parser *p, const char *what);
bool ir_scan_fail_statement(parser *p, const char *what);
void ir_scan_space(parser *p);
char ir_scan_peek(parser *p);
bool ir_scan_accept(parser *p, char c);
bool ir_scan_expect(parser *p, char c);
bool ir_scan_is_digit(char c);
bool ir_scan_is_letter(char c);
slice ir_scan_peek_word(parser *p);
slice ir_scan_word(parser *p);
bool ir_scan_slice_is(slice s, const char *text);
bool ir_scan_accept_word(parser *p, const char *text);
int ir_scan_hex_digit(char c);
const char *ir_scan_string(parser *p);
bool ir_scan_int(parser *p, int64_t min, int64_t max, int64_t *out);
bool ir_scan_i32(parser *p, int32_t *out);
bool ir_scan_offset(parser *p, int64_t *out);
bool ir_scan_float(parser *p, float *out);
bool ir_scan_double(parser *p, double *out);
int32_t ir_scan_list_bound(const parser *p);
bool ir_scan_ints(parser *p, const int64_t **out, int32_t *out_count);
bool ir_scan_floats(parser *p, const float **out, int32_t *out_count);

#endif
