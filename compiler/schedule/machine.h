/* machine.h: what a product costs on a target, for the search over its tiles. */
#ifndef QCC_SCHEDULE_MACHINE_H
#define QCC_SCHEDULE_MACHINE_H

#include "compiler/schedule/tile.h"
#include "compiler/target/target.h"

/* Of floats, or of bytes, unsigned by signed. */
schedule_machine schedule_machine_of(const target_info *, bool is_float);

#endif
