/* report_html.h: the report as a page. */
#ifndef QCC_REPORT_HTML_H
#define QCC_REPORT_HTML_H

#include <jansson.h>
#include <stdio.h>

/* Writes the report that report.c made as one page that needs no other file. */
void report_print_html(FILE *, const json_t *report);

/* ---- What its parts share ---- */

void report_print_escaped(FILE *, const char *text);
/* A layer's name, which a line may end in behind its slashes and semicolons. */
void report_print_name(FILE *, const char *name);
/* A row an op; report_table.c. */
void report_print_table(FILE *, const json_t *report);

extern const char report_page_style[], report_page_script[]; /* report_page.css, report_page.js */

#endif
