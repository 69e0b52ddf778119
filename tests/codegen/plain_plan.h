/* plain_plan.h: a memory plan without sharing: every value and every op's scratch memory between guards of poison, so
 * that emitters are tested as they are. */
#ifndef TESTS_CODEGEN_PLAIN_PLAN_H
#define TESTS_CODEGEN_PLAIN_PLAN_H

#include "ir/ir.h"

/* Kernels have been chosen. */
void plain_plan(ir_graph *);
/* After a run in a workspace of poison: are the bytes that belong to nobody as they were? */
bool plain_plan_intact(const ir_graph *, const uint8_t *workspace);

#endif
