/* machine.h: what a product costs on a target, for the search over its tiles. */
#ifndef QCC_SCHEDULE_MACHINE_H
#define QCC_SCHEDULE_MACHINE_H

#include "compiler/schedule/tile.h"
#include "compiler/target/target.h"

/* Of floats; of bytes, unsigned by signed; of words, in steps of two. */
typedef enum schedule_numbers { SCHEDULE_FLOATS, SCHEDULE_BYTES, SCHEDULE_WORDS } schedule_numbers;
schedule_machine schedule_machine_of(const target_info *, schedule_numbers);

#endif
