/* report_summary.h: what one wants to know of a model before its ops one by one. */
#ifndef QCC_REPORT_SUMMARY_H
#define QCC_REPORT_SUMMARY_H

#include "compiler/report/report_json.h"

/* Adds to the report what report_summary.c says; `ops` are the report's. */
void report_put_summary(report_builder *, json_t *report, const json_t *ops);

#endif
