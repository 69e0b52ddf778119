/* report_format.c: numbers -> what people read, with three digits and a unit; the report -> its headline. */
#include "compiler/report/report_format.h"

#include <math.h>
#include <string.h>

const char *report_member(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

double report_number(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

int64_t report_integer(const json_t *o, const char *key) { return json_integer_value(json_object_get(o, key)); }

/* ---- Numbers ---- */

/* The unit is the first in which there are less than `base` of them. */
static const char *with_unit(double x, double base, const char *const units[], int count, char text[REPORT_NUMBER])
{
    int unit = 0;
    while (unit < count - 1 && x >= base - 0.5) {
        x /= base;
        unit++;
    }
    const int digits = x != floor(x) && x < 9.995 ? 2 : x != floor(x) && x < 99.95 ? 1 : 0;
    snprintf(text, REPORT_NUMBER, "%.*f%s%s", digits, x, units[unit][0] ? " " : "", units[unit]);
    return text;
}

const char *report_time(double seconds, char text[REPORT_NUMBER])
{
    static const char *const units[] = {"ns", "\u00b5s", "ms"};
    if (seconds >= 0.9995)
        snprintf(text, REPORT_NUMBER, "%.3g s", seconds);
    return seconds >= 0.9995 ? text : with_unit(seconds * 1e9, 1000, units, 3, text);
}

const char *report_bytes(double bytes, char text[REPORT_NUMBER])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    return with_unit(bytes, 1024, units, 5, text);
}

const char *report_count(double count, char text[REPORT_NUMBER])
{
    static const char *const units[] = {"", "thousand", "million", "billion", "trillion"};
    return with_unit(count, 1000, units, 5, text);
}

/* ---- The headline ---- */

static double of_arithmetic(const json_t *report, const char *what, const char *arithmetic)
{
    char key[24];
    snprintf(key, sizeof key, "%s_%s", what, arithmetic);
    return report_number(report, key);
}

double report_share(const json_t *report, const char *arithmetic)
{
    const double macs = report_number(report, "macs"), ops = (double)json_array_size(json_object_get(report, "ops"));
    if (macs > 0)
        return of_arithmetic(report, "macs", arithmetic) / macs;
    return ops > 0 ? of_arithmetic(report, "ops", arithmetic) / ops : 0;
}

const char *report_verdict(const json_t *report, char text[REPORT_VERDICT], const char **out_arithmetic)
{
    const char *what = report_number(report, "macs") > 0 ? "multiply-adds are" : "ops work on";
    const double share = 100 * report_share(report, "int8");
    const bool none = report_number(report, "ops_int8") == 0 && report_number(report, "macs_mixed") == 0;
    const bool products_real =
        report_number(report, "macs_float") > 0 && share + 100 * report_share(report, "mixed") == 0;
    const double real = report_number(report, "ops_float") + report_number(report, "ops_mixed");
    *out_arithmetic = "mixed";
    if (none && real > 0) {
        *out_arithmetic = "float";
        snprintf(text, REPORT_VERDICT, "Nothing is int8: the model computes on real numbers");
    } else if (products_real) {
        *out_arithmetic = "float";
        snprintf(text, REPORT_VERDICT, "No multiply-add is int8: they are on real numbers");
    } else if (none) {
        *out_arithmetic = "data";
        snprintf(text, REPORT_VERDICT, "No op computes: plain integers are moved");
    } else if (real == 0) {
        *out_arithmetic = "int8";
        snprintf(text, REPORT_VERDICT, "All of it is int8");
    } else if (share == 100) {
        *out_arithmetic = "int8";
        snprintf(text, REPORT_VERDICT, "All %s int8", what);
    } else { /* 99.97 % are not 100 % */
        snprintf(text, REPORT_VERDICT, "%.1f %% of the %s int8", floor(share * 10) / 10, what);
    }
    return text;
}

double report_seconds(const json_t *report, const json_t *op)
{
    return report_number(op, report_member(report, "slowest_by"));
}
