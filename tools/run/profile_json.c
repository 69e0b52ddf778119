/* profile_json.c: times of steps -> one JSON object.
 *
 *     {"target", "threads", "seconds", "macs", "peak": {"int8", "float"} in multiply-adds a second of a core,
 *      "memory": {"workspace_bytes", "state_bytes", "inputs_bytes", "outputs_bytes"}, "bench": {…},
 *      "steps": [{"name", "op", "part": "all" | "product" | "pad" | "pack" | "sums" | "results", "position", "shape",
 *                 "seconds", "share", "macs", "int8", "peak"}]}                           slowest first
 *
 * Some products are several steps of one op: what pads, packs or sums up an operand runs in front of the product. */
#include <stdio.h>
#include <stdlib.h>

#include "compiler/report/report_json.h"
#include "tools/run/profile.h"

typedef struct timed_step {
    const qcc_step *step;
    double seconds;
    uint32_t position; /* in the order in which they run */
} timed_step;

static int slower(const void *a, const void *b)
{
    const timed_step *x = a, *y = b;
    const int by_time = (x->seconds < y->seconds) - (x->seconds > y->seconds);
    return by_time ? by_time : (x->position > y->position) - (x->position < y->position);
}

static json_t *step_json(report_builder *r, const session *s, const timed_step *t, double all, const peak *p)
{
    json_t *o = json_object();
    const double share = profile_peak_share(t->step, t->step->macs, t->seconds, p, s->threads);
    report_put(r, o, "name", report_string(r, t->step->name));
    report_put(r, o, "op", json_string(t->step->op));
    report_put(r, o, "part", json_string(profile_part(t->step)));
    report_put(r, o, "position", json_integer(t->position));
    report_put(r, o, "shape", json_string(t->step->shape));
    report_put_real(r, o, "seconds", t->seconds);
    report_put_real(r, o, "share", all > 0 ? t->seconds / all : 0);
    report_put(r, o, "macs", json_integer((json_int_t)t->step->macs));
    report_put(r, o, "int8", json_boolean(t->step->is_int8));
    report_put(r, o, "peak", share < 0 ? json_null() : json_real(share));
    return o;
}

static json_t *memory_json(report_builder *r, const session *s)
{
    json_t *o = json_object();
    size_t in = 0, out = 0;
    for (uint32_t i = 0; i < s->input_count; i++)
        in += s->inputs[i].bytes;
    for (uint32_t i = 0; i < s->output_count; i++)
        out += s->outputs[i].bytes;
    report_put(r, o, "workspace_bytes", json_integer((json_int_t)s->model->workspace_bytes));
    report_put(r, o, "state_bytes", json_integer((json_int_t)s->model->state_bytes));
    report_put(r, o, "inputs_bytes", json_integer((json_int_t)in));
    report_put(r, o, "outputs_bytes", json_integer((json_int_t)out));
    return o;
}

static json_t *all_json(report_builder *r, const session *s, timed_step steps[], const bench_times *times)
{
    const qcc_variant *v = s->variant;
    const peak p = peak_measure(v->cpu_features);
    json_t *o = json_object(), *list = json_array();
    double all = 0;
    uint64_t macs = 0;
    for (uint32_t i = 0; i < v->step_count; i++) {
        all += steps[i].seconds;
        macs += v->steps[i].macs;
    }
    qsort(steps, v->step_count, sizeof *steps, slower);
    for (uint32_t i = 0; i < v->step_count; i++)
        report_push(r, list, step_json(r, s, &steps[i], all, &p));
    report_put(r, o, "target", json_string(v->target));
    report_put(r, o, "threads", json_integer(s->threads));
    report_put_real(r, o, "seconds", all);
    report_put(r, o, "macs", json_integer((json_int_t)macs));
    report_put(r, o, "peak", json_pack("{s:f, s:f}", "int8", p.int8, "float", p.f32));
    report_put(r, o, "memory", memory_json(r, s));
    if (times)
        report_put(r, o, "bench", bench_json(s, times));
    report_put(r, o, "steps", list);
    return o;
}

bool profile_print_json(const session *s, const double seconds[], const bench_times *times, diag *d)
{
    const uint32_t count = s->variant->step_count;
    timed_step *steps = malloc((count + 1) * sizeof *steps);
    if (!steps)
        return diag_out_of_memory(d, NULL);
    for (uint32_t i = 0; i < count; i++)
        steps[i] = (timed_step){&s->variant->steps[i], seconds[i], i};
    report_builder r = {.memory = arena_new()};
    json_t *o = all_json(&r, s, steps, times);
    char *text = r.failed ? NULL : json_dumps(o, JSON_INDENT(1) | JSON_REAL_PRECISION(9));
    if (text)
        puts(text);
    free(text);
    json_decref(o);
    arena_free(r.memory);
    free(steps);
    return text || diag_out_of_memory(d, NULL);
}
