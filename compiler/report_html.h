/* report_html.h: the report as a page. */
#ifndef QCC_REPORT_HTML_H
#define QCC_REPORT_HTML_H

#include <jansson.h>
#include <stdio.h>

/* Writes the report that report.c made as one page that needs no other file. */
void report_print_html(FILE *, const json_t *report);

#endif
