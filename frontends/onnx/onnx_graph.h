/* onnx_graph.h: an ONNX graph as its file has it, whatever the box: ONNX Runtime's FlatBuffers or ONNX's own Protocol
 * Buffers.  The readers fill it, the importer (import.h) sees nothing else of a file.
 *
 * Everything lies in the arena of the model's IR graph, but for the data of tensors, which alias the file where they
 * can.  Nothing has been checked but the file's form: names may be empty or there twice, counts absurd, data short. */
#ifndef QCC_ONNX_GRAPH_H
#define QCC_ONNX_GRAPH_H

#include "frontends/node/node.h"

/* Limits on what a file can make the compiler do. */
enum {
    ONNX_MAX_NODES = 1 << 16,
    ONNX_MAX_DEPTH = 16 /* graphs within graphs, and functions within functions */
};

typedef struct onnx_tensor {
    const char *name;
    int64_t type; /* ONNX's number, see ort_dtype */
    uint32_t rank;
    const int64_t *dims;
    const uint8_t *data; /* little-endian, one element behind the other */
    size_t size;
} onnx_tensor;

/* What is said of the type of an input or output. */
typedef struct onnx_info {
    const char *name;
    bool is_tensor, has_shape;
    int64_t type;
    uint32_t rank;
    const int64_t *dims;    /* -1: open */
    const char **dim_names; /* of those that are open; NULL: none */
} onnx_info;

typedef struct onnx_node {
    const char *domain, *type;
    int32_t since; /* operator set that brought this form of the operator; 0: the file does not say ... */
    int32_t opset; /* ... but which operator set the form is of */
    frontend_names inputs, outputs;
    frontend_names captured; /* names of the graph around that the node's own graphs use */
    uint32_t attribute_count;
    frontend_attribute *attributes;
} onnx_node;

typedef struct onnx_graph {
    uint32_t initializer_count, info_count, node_count, sparse_count;
    onnx_tensor *initializers;
    onnx_info *infos;
    onnx_node *nodes;
    frontend_names inputs, outputs;
} onnx_graph;

/* Types of attributes (frontend_value), in both boxes. */
enum { TYPE_FLOAT = 1, TYPE_INT, TYPE_STRING, TYPE_TENSOR, TYPE_GRAPH, TYPE_FLOATS, TYPE_INTS, TYPE_STRINGS };

/* The readers: the model's graph, NULL after a diagnostic.  The model is open over the file's bytes. */
const onnx_graph *ort_file_read(frontend_model *);  /* ONNX Runtime's FlatBuffers */
const onnx_graph *onnx_file_read(frontend_model *); /* Protocol Buffers */

#endif
