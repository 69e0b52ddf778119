/* ref_class_nms.h: class_nms of the graph in terms of arith/class_nms.h. */
#ifndef QCC_IR_REF_CLASS_NMS_H
#define QCC_IR_REF_CLASS_NMS_H

#include "arith/class_nms.h"
#include "ir/ir.h"

qcc_op_class_nms ir_class_nms_of(const ir_op *); /* checked */

#endif
