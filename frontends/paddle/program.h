/* program.h: a Paddle program as its file has it, whatever the box: Paddle Lite's .nb, Paddle's own Protocol Buffers or JSON.
 * The readers fill it, and the parameters with it; the importer (import.h) sees nothing else of a file. */
#ifndef QCC_PADDLE_PROGRAM_H
#define QCC_PADDLE_PROGRAM_H

#include "frontends/node/node.h"

/* Limits on what a file can make the compiler do. */
enum {
    PADDLE_MAX_NODES = 1 << 16,
    PADDLE_MAX_OPERANDS = 1 << 10 /* of one operator, and of the graph */
};

/* Types of attributes (frontend_value), in both boxes. */
/* clang-format off */
enum {
    TYPE_INT, TYPE_FLOAT, TYPE_STRING, TYPE_INTS, TYPE_FLOATS, TYPE_STRINGS, TYPE_BOOLEAN, TYPE_BOOLEANS, TYPE_BLOCK, TYPE_LONG,
    TYPE_BLOCKS, TYPE_LONGS
};
/* clang-format on */

typedef struct paddle_list { /* the variables of one parameter of an operator */
    const char *parameter;
    frontend_names names;
} paddle_list;

typedef struct paddle_desc {
    const char *name;
    bool is_tensor, persistable;
    int32_t type; /* of its elements, Paddle's number: paddle_dtype */
    uint32_t rank;
    const int64_t *dims; /* -1: open */
} paddle_desc;

typedef struct paddle_op {
    const char *type;
    const char *refused; /* what the file's form says that this one can't; NULL: nothing */
    uint32_t input_count, output_count, attribute_count;
    paddle_list *inputs, *outputs;
    frontend_attribute *attributes;
    uint32_t block_count;
    struct paddle_block *blocks; /* branches, or a loop's body */
} paddle_op;

typedef struct paddle_block { /* operators in their order */
    uint32_t op_count;
    paddle_op *ops;
    int32_t number;                 /* 0: the program itself */
    frontend_names inputs, results; /* of one within: the variables that it is given, and that it leaves */
} paddle_block;

typedef struct paddle_program {
    uint32_t variable_count;
    paddle_desc *variables;
    paddle_block main;
} paddle_program;

#endif
