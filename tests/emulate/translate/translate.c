/* translate.c: from the pieces of a function (flow.h) to its copy. */
#include "translate.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "code.h"
#include "enter.h"
#include "failure.h"
#include "flow.h"
#include "operand.h"

/* What there is for an entry, and the code that it was made of: other code may have come to its place. */
typedef struct unit {
    const uint8_t *start;
    int count;
    struct {
        const uint8_t *at;
        uint8_t *copy;
        size_t bytes;
    } piece[];
} unit;

static struct {
    const machine *m;
    unsigned lacking; /* features that are emulated */
    bool wide;        /* the CPU has zmm registers */
    address_map units;
    pthread_mutex_t lock;
} translator = {.lock = PTHREAD_MUTEX_INITIALIZER};

_Thread_local state emulate_state __attribute__((tls_model("initial-exec"), aligned(64)));

enum { GROUP = 64, MOST_BYTES = 96 }; /* instructions in a group; bytes that an instruction becomes */

typedef struct fix {
    uint8_t *at;
    const uint8_t *to;
} fix;

typedef struct translation {
    flow f;
    code c;
    address_map copies; /* of targets */
    fix *fixes;         /* distances to be filled in */
    size_t fix_count;
    instruction pending[GROUP];
    int pending_count;
} translation;

void translate_setup(const machine *m)
{
    const unsigned host = machine_host_features();

    translator.m = m;
    translator.lacking = m->features & ~host;
    translator.wide = host & FEATURE_AVX512;
}

static bool is_refused(const decoded *d) { return machine_needs(&d->in) & ~translator.m->features; }

bool translate_needed(const decoded *d) { return machine_needs(&d->in) & translator.lacking || is_refused(d); }

void translate_enter_function(void)
{
    state *s = &emulate_state;

    for (int i = 0; i < 16; i++)
        s->z[i].half[1] = _mm256_setzero_si256();
    memset(s->stale, 0, sizeof s->stale);
}

/* ---- Instructions ---- */

static void flush(translation *t)
{
    const size_t bytes = (size_t)t->pending_count * sizeof *t->pending;

    if (!t->pending_count)
        return;
    group *g = malloc(sizeof *g + bytes);
    if (!g)
        failure("out of memory");
    g->count = t->pending_count;
    memcpy(g->in, t->pending, bytes);
    t->pending_count = 0;
    code_call_group(&t->c, g);
}

static instruction *append(translation *t)
{
    if (t->pending_count == GROUP)
        flush(t);
    return &t->pending[t->pending_count++];
}

/* The address is filled in at the end. */
static void branch_to(translation *t, const void *opcode, size_t bytes, const uint8_t *to)
{
    code_bytes(&t->c, opcode, bytes);
    t->fixes[t->fix_count++] = (fix){t->c.at, to};
    code_i32(&t->c, 0);
}

static void translate_branch(translation *t, const decoded *d, branch b)
{
    const uint8_t *to = decode_target(d);
    const uint8_t conditional[] = {0x0f, (uint8_t)(0x80 | (d->in.opcode & 15))};
    const bool import = decode_is_import(to);

    if (b == BRANCH_CONDITIONAL)
        branch_to(t, conditional, sizeof conditional, to);
    else if (import && b == BRANCH_CALL)
        code_call_far(&t->c, to);
    else if (import)
        code_jump_far(&t->c, to);
    else
        branch_to(t, b == BRANCH_CALL ? "\xe8" : "\xe9", 1, to);
}

/* jmp *…: targets nearby, of a table of the function's own, are translated. */
static void run_jump(const instruction *in, state *s)
{
    enum { NEARBY = 1 << 20 };
    const uint8_t *to = (const uint8_t *)(uintptr_t)operand_scalar(in, s, 0);

    if (to - in->code < NEARBY && in->code - to < NEARBY)
        to = translate_code(to);
    s->next = (uintptr_t)to;
}

static void translate_indirect_jump(translation *t, const decoded *d)
{
    instruction *in = append(t);

    *in = (instruction){.run = run_jump, .code = d->code};
    decode_operand(d, &d->o[0], &in->o[0]);
    flush(t);
    code_jump_next(&t->c);
}

static void note_stale(translation *t, const decoded *d)
{
    if (d->in.mnemonic == ZYDIS_MNEMONIC_VZEROUPPER || d->in.mnemonic == ZYDIS_MNEMONIC_VZEROALL) {
        code_note_all_stale(&t->c);
        return;
    }
    for (int i = 0; i < d->in.operand_count; i++)
        if (decode_is_vector(&d->o[i]) && d->o[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
            code_note_stale(&t->c, (unsigned)ZydisRegisterGetId(d->o[i].reg.value));
}

/* As it is, but for distances from the instruction pointer. */
static void copy(translation *t, const decoded *d)
{
    uint8_t *here = t->c.at;

    code_bytes(&t->c, d->code, d->in.length);
    for (int i = 0; i < d->in.operand_count; i++)
        if (d->o[i].type == ZYDIS_OPERAND_TYPE_MEMORY && d->o[i].mem.base == ZYDIS_REGISTER_RIP) {
            code displacement = {.at = here + d->in.raw.disp.offset};
            code_i32(&displacement, d->o[i].mem.disp.value + (d->code - here));
            break;
        }
    if (d->in.encoding == ZYDIS_INSTRUCTION_ENCODING_VEX && !translator.wide)
        note_stale(t, d);
}

/* When it is reached, not before: a function may ask first. */
static void run_refused(const instruction *in, state *s)
{
    (void)s;
    failure_at("the machine lacks", in->code);
}

static void translate_one(translation *t, const decoded *d)
{
    const branch b = decode_branch(d);

    if (is_refused(d)) {
        *append(t) = (instruction){.run = run_refused, .code = d->code};
        return;
    }
    if (translate_needed(d)) {
        decode_instruction(d, append(t));
        return;
    }
    if (b == BRANCH_JUMP_INDIRECT) {
        translate_indirect_jump(t, d);
        return;
    }
    flush(t);
    if (b == BRANCH_CONDITIONAL || b == BRANCH_JUMP || b == BRANCH_CALL)
        translate_branch(t, d, b);
    else
        copy(t, d);
}

static void translate_piece(translation *t, const piece *p)
{
    decoded d;

    for (const uint8_t *at = p->from; at < p->to; at += d.in.length) {
        decode(at, &d);
        if (address_map_get(&t->f.seen, at) == FLOW_TARGET) {
            flush(t);
            address_map_put(&t->copies, at, (uintptr_t)t->c.at);
        }
        translate_one(t, &d);
    }
    flush(t);
    if (p->goes_on)
        branch_to(t, "\xe9", 1, p->to);
}

/* ---- Functions ---- */

static unit *unit_new(const flow *f, const uint8_t *start)
{
    unit *u = malloc(sizeof *u + (size_t)f->count * sizeof *u->piece);

    if (!u)
        failure("out of memory");
    u->start = start;
    u->count = f->count;
    for (int i = 0; i < f->count; i++) {
        const piece *p = &f->pieces[i];
        u->piece[i].at = p->from;
        u->piece[i].bytes = (size_t)(p->to - p->from);
        u->piece[i].copy = malloc(u->piece[i].bytes);
        if (!u->piece[i].copy)
            failure("out of memory");
        memcpy(u->piece[i].copy, p->from, u->piece[i].bytes);
    }
    return u;
}

static bool unit_is_current(const unit *u)
{
    for (int i = 0; i < u->count; i++)
        if (memcmp(u->piece[i].at, u->piece[i].copy, u->piece[i].bytes))
            return false;
    return true;
}

static void unit_free(unit *u)
{
    for (int i = 0; i < u->count; i++)
        free(u->piece[i].copy);
    free(u);
}

static unit *translate(const uint8_t *entry)
{
    translation t = {0};

    flow_find(entry, &t.f);
    t.fixes = calloc(t.f.instructions + (size_t)t.f.count, sizeof *t.fixes);
    if (!t.fixes)
        failure("out of memory");
    t.c = code_begin(entry, (t.f.instructions + (size_t)t.f.count) * MOST_BYTES,
                     translator.wide ? emulate_enter_zmm : emulate_enter);
    for (int i = 0; i < t.f.count; i++)
        translate_piece(&t, &t.f.pieces[i]);
    for (size_t i = 0; i < t.fix_count; i++) {
        code at = {.at = t.fixes[i].at};
        code_i32(&at, (int64_t)(address_map_get(&t.copies, t.fixes[i].to) - (uintptr_t)at.at - 4));
    }
    code_done(&t.c);
    unit *u = unit_new(&t.f, (const uint8_t *)address_map_get(&t.copies, entry));
    address_map_free(&t.copies);
    flow_free(&t.f);
    free(t.fixes);
    return u;
}

const uint8_t *translate_code(const uint8_t *entry)
{
    pthread_mutex_lock(&translator.lock);
    unit *u = (unit *)address_map_get(&translator.units, entry);
    if (u && !unit_is_current(u)) {
        unit_free(u);
        u = NULL;
    }
    if (!u) {
        u = translate(entry);
        address_map_put(&translator.units, entry, (uintptr_t)u);
    }
    const uint8_t *start = u->start;
    pthread_mutex_unlock(&translator.lock);
    return start;
}
