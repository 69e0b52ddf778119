/* ref_nms.h: suppressions of the graph in terms of arith/class_nms.h and arith/matrix_nms.h. */
#ifndef QCC_IR_REF_NMS_H
#define QCC_IR_REF_NMS_H

#include "arith/class_nms.h"
#include "arith/matrix_nms.h"
#include "ir/ir.h"

qcc_op_class_nms ir_class_nms_of(const ir_op *); /* checked */
qcc_op_matrix_nms ir_matrix_nms_of(const ir_op *);

#endif
