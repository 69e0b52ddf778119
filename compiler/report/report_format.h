/* report_format.h: members of the report's object, and how its numbers read. */
#ifndef QCC_REPORT_FORMAT_H
#define QCC_REPORT_FORMAT_H

#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* What is not there is "" or 0. */
const char *report_member(const json_t *, const char *key);
double report_number(const json_t *, const char *key);
int64_t report_integer(const json_t *, const char *key);

enum { REPORT_NUMBER = 32 };
/* "812 µs", "1.23 ms"; "640 B", "1.25 MiB"; "5.2 M".  In the buffer, which is returned. */
const char *report_time(double seconds, char text[REPORT_NUMBER]);
const char *report_bytes(double bytes, char text[REPORT_NUMBER]);
const char *report_count(double count, char text[REPORT_NUMBER]);

/* The most that can be said in one line about what the model computes on, and which arithmetic that makes it. */
enum { REPORT_VERDICT = 160 };
const char *report_verdict(const json_t *report, char text[REPORT_VERDICT], const char **out_arithmetic);
/* Of all its multiply-adds, or where it has none of its ops: the part of one arithmetic. */
double report_share(const json_t *report, const char *arithmetic);
/* "1.23 ms", of the model or of an op of it: measured, or where nobody has measured it estimated. */
double report_seconds(const json_t *report, const json_t *op);

#endif
