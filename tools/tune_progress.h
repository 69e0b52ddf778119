/* tune_progress.h: how training goes on: a line on the terminal that changes, and one that stays for each validation. */
#ifndef QCC_TOOLS_TUNE_PROGRESS_H
#define QCC_TOOLS_TUNE_PROGRESS_H

#include "compiler/tune/tune.h"

void tune_progress_show(void *unused, const tune_report *);

#endif
