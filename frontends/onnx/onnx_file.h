/* onnx_file.h: what the files of the reader of ONNX's Protocol Buffers share.
 *
 *     onnx_file.c       the model, graphs, nodes, attributes, types
 *     onnx_tensor.c     tensors and the three places where their elements may be
 *     onnx_function.c   local functions: names and attributes within a call
 *
 * Calls of local functions are replaced by the functions' nodes, and constants that are nodes become initializers, as
 * ONNX Runtime does both when it loads a model: the importer sees neither. */
#ifndef QCC_ONNX_FILE_H
#define QCC_ONNX_FILE_H

#include "frontends/onnx/onnx_graph.h"
#include "frontends/protobuf.h"

typedef struct onnx_function {
    const char *domain, *name, *overload;
    frontend_names inputs, outputs;
    pb_message message;
    int32_t opset;
} onnx_function;

typedef struct onnx_file {
    frontend_model *model;
    int32_t opset; /* of ONNX's own operators */
    uint32_t function_count;
    onnx_function *functions;
    uint32_t nodes_read, calls;
    size_t inlined; /* bytes of functions read once more for a call */
} onnx_file;

/* A call of a function whose nodes are being read. */
typedef struct onnx_call {
    const onnx_function *function;
    const onnx_node *node; /* its operands, results and attributes */
    uint32_t number;
} onnx_call;

/* ---- onnx_file.c ---- */
/* Text of a repeated field, in the order of the message. */
frontend_names onnx_texts(onnx_file *, pb_message, uint32_t number);
bool onnx_attribute(onnx_file *, pb_message, const onnx_call *, int depth, frontend_attribute *out);
/* The operator set of ONNX's own operators among fields of that number; 0: none is named. */
int32_t onnx_opset(onnx_file *, pb_message, uint32_t number);

/* ---- onnx_tensor.c ---- */
bool onnx_tensor_read(onnx_file *, pb_message, onnx_tensor *out);
/* The tensor that a node of type Constant stands for; false: none, the importer sees the node. */
bool onnx_tensor_of_node(onnx_file *, const onnx_node *, onnx_tensor *out);

/* ---- onnx_function.c ---- */
void onnx_functions_read(onnx_file *, pb_message model, uint32_t number);
const onnx_function *onnx_function_of(const onnx_file *, const char *domain, const char *name, const char *overload);
/* What a name within a function stands for outside of the call. */
const char *onnx_name_in(onnx_file *, const onnx_call *, const char *name);
/* The attribute of the call, or else of the function, that a node's attribute refers to; NULL: there is none. */
const frontend_value *onnx_referred(onnx_file *, const onnx_call *, const char *name, int depth, bool *out_good);
bool onnx_call_charge(onnx_file *, const onnx_function *, int depth);

#endif
