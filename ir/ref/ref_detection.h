/* ref_detection.h: detection_postprocess of the graph in terms of arith/detection.h. */
#ifndef QCC_IR_REF_DETECTION_H
#define QCC_IR_REF_DETECTION_H

#include "arith/detection.h"
#include "ir/ir.h"

qcc_op_detection ir_detection_of(const ir_op *); /* checked */

#endif
