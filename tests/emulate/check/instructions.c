/* instructions.c: each form of forms.S on the emulator, against the CPU where it has the instruction, elsewhere
 * against its AVX2 twin or what the manual says (oracle.c): all registers, masks, flags, and memory around the operand.
 *
 *     check-instructions [-v] [NAME]      every form, or those of one instruction
 *
 * That each instruction of the tables has a form is checked, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "decode.h"
#include "enter.h"
#include "machine.h"
#include "operand.h"
#include "semantics/semantics.h"

extern const uint8_t native_begin[], native_middle[], native_end[];

enum { ROUNDS = 12, MEMORY = 1024, OPERAND_AT = 256 };

/* All that an instruction can change. */
typedef struct world {
    state s;
    frame f;
    uint8_t memory[MEMORY] __attribute__((aligned(64)));
} world;

static uint64_t random_bits(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* ---- What a form works on ---- */

/* Bits, reals of middling size, small integers, and values at which reals are special. */
static uint64_t draw(uint64_t *seed, int round)
{
    static const float special[] = {
        0,    -0.f,        1, -1.5f, 2.5f, __builtin_inff(), -__builtin_inff(), 1e-42f, 3e9f, __builtin_nanf(""),
        0.5f, 2147483520.f};
    const uint64_t bits = random_bits(seed);
    vector v;

    switch (round / 2) {
    case 0: return bits;
    case 1:
        for (int i = 0; i < 2; i++)
            v.f32[i] = (float)(int32_t)(bits >> 32 * i) / (i ? 3e7f : 65536);
        return v.u64[0];
    case 2: v.f64[0] = (double)(int64_t)bits / 1e14; return v.u64[0];
    case 3: return bits % 70 | (bits >> 32) % 40 << 32;
    case 4: return round & 1 ? bits % 70 : bits & 0x000f000f000f000f;
    default: v.f64[0] = special[bits % 12]; break;
    }
    if (round & 1)
        for (int i = 0; i < 2; i++)
            v.f32[i] = special[(bits >> 8 * i) % 12];
    return v.u64[0];
}

static void world_fill(world *w, const form *f, int round)
{
    uint64_t seed = 88172645463325252u + (uint64_t)round * 7919;

    memset(w, 0, sizeof *w);
    for (int i = 0; i < 32 * 8; i++)
        w->s.z[i / 8].u64[i % 8] = draw(&seed, round);
    for (int i = 0; i < MEMORY; i += 8) {
        const uint64_t v = draw(&seed, round);
        memcpy(w->memory + i, &v, sizeof v);
    }
    for (int i = 0; i < 8; i++)
        w->s.k[i] = random_bits(&seed);
    w->s.k[4] |= round & 1 ? 0 : ~w->s.k[3];                     /* for kortest */
    if (strstr(f->text, "gather") || strstr(f->text, "scatter")) /* indices stay inside */
        for (int i = 0; i < 8; i++)
            w->s.z[2].u64[i] &= strstr(f->text, "d,") || f->sources == 4 ? 0x000000ff000000ff : 0xff;
    if (round & 1)
        memset(w->memory + OPERAND_AT, 0, 16); /* counts of shifts */
    w->f.general[1] = draw(&seed, round);
    w->f.flags = 0x202; /* as always, and interrupts on */
}

/* Where the operand is; both worlds use the same place, so that addresses agree. */
static uint8_t *shared_memory(void)
{
    static uint8_t memory[MEMORY] __attribute__((aligned(64)));

    return memory;
}

/* ---- Running ---- */

static void run_emulated(world *w, const form *f)
{
    group *one = malloc(sizeof *one + sizeof *one->in);
    decoded d;

    if (!one || !decode(f->code, &d) || f->code + d.in.length != f->code_end) {
        fprintf(stderr, "%s: decoded otherwise than assembled\n", f->text);
        exit(1);
    }
    one->count = 1;
    decode_instruction(&d, one->in);
    memcpy(shared_memory(), w->memory, MEMORY);
    w->s.rax = w->f.general[0];
    w->f.general[7] = (uintptr_t)(shared_memory() + OPERAND_AT);
    emulate_group(one, &w->f, &w->s);
    memcpy(w->memory, shared_memory(), MEMORY);
    free(one);
}

static void run_native(world *w, const form *f)
{
    static uint8_t *page;
    uint8_t *at;

    if (!page)
        page = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        exit(1);
    at = page;
    memcpy(at, native_begin, (size_t)(native_middle - native_begin));
    at += native_middle - native_begin;
    memcpy(at, f->code, (size_t)(f->code_end - f->code));
    at += f->code_end - f->code;
    memcpy(at, native_middle, (size_t)(native_end - native_middle));
    memcpy(shared_memory(), w->memory, MEMORY);
    w->f.general[7] = (uintptr_t)(shared_memory() + OPERAND_AT);
    union {
        uint8_t *bytes;
        void (*run)(state *, frame *);
    } code = {page};
    code.run(&w->s, &w->f);
    memcpy(w->memory, shared_memory(), MEMORY);
}

static bool runs_natively(const form *f)
{
    decoded d;

    decode(f->code, &d);
    return !(machine_needs(&d.in) & ~machine_host_features()) && machine_host_features() & FEATURE_AVX512;
}

/* ---- What a form's text says ---- */

typedef struct operands {
    char text[4][24]; /* the last is the destination */
    int count;
} operands;

/* The next operand of a list, with its length: commas in parentheses don't separate. */
static const char *next_operand(const char *at, size_t *length)
{
    int depth = 0;

    at += strspn(at, ", ");
    for (*length = 0; at[*length] && (depth || at[*length] != ','); (*length)++)
        depth += (at[*length] == '(') - (at[*length] == ')');
    return at;
}

static void parse(const form *f, operands *o, sample *s)
{
    const char *at = strncmp(f->text, "{vex} ", 6) ? f->text : f->text + 6;
    const char *modes = "nduz"; /* in mxcsr's order */
    size_t length = strcspn(at, " ");

    s->masked = strstr(at, "{%k1}");
    s->zeroing = strstr(at, "{z}");
    s->bytes = strstr(at, "%zmm") ? 64 : strstr(at, "%ymm") ? 32 : 16;
    s->general_bytes = strstr(at, "%e") ? 4 : 8;
    snprintf(s->name, sizeof s->name, "%.*s", (int)length, at);
    o->count = 0;
    for (at += length; *(at = next_operand(at, &length)); at += length) {
        if (*at == '$')
            s->imm = (uint8_t)strtoul(at + 1, NULL, 0);
        else if (*at == '{')
            s->rounding = (unsigned)(strchr(modes, at[2]) - modes) << 13;
        else
            snprintf(o->text[o->count++], sizeof o->text[0], "%.*s", (int)length, at);
    }
    const char *destination = o->text[o->count - 1];
    s->to_memory = *destination == '(';
    s->to_general = strstr(destination, "ax");
}

static int register_number(const char *text) { return atoi(text + strcspn(text, "0123456789")); }

/* The value of a source. */
static void load(const world *w, const form *f, const char *text, vector *out)
{
    const uint8_t *memory = w->memory + OPERAND_AT;

    memset(out, 0, sizeof *out);
    if (*text == '(' && strstr(text, "{1to"))
        for (unsigned i = 0; i < sizeof *out; i++)
            out->u8[i] = memory[i % f->lane];
    else if (*text == '(')
        memcpy(out, memory, sizeof *out);
    else if (strstr(text, "mm"))
        *out = w->s.z[register_number(text)];
    else if (text[1] == 'k')
        out->u64[0] = w->s.k[register_number(text)];
    else
        out->u64[0] = text[1] == 'e' ? (uint32_t)w->f.general[1] : w->f.general[1];
}

/* ---- What has to be ---- */

static bool is_scalar(const sample *s)
{
    const size_t n = strlen(s->name);
    const char *end = s->name + n - 2;

    return (!strcmp(end, "ss") || !strcmp(end, "sd")) && strncmp(s->name, "vp", 2) && !strstr(s->name, "broadcast");
}

static void run_twin(const sample *s, bool one_count, expected *out)
{
    const unsigned before = _mm_getcsr();

    *out = (expected){.what = OUTCOME_VECTOR, .total = s->bytes};
    _mm_setcsr((before & ~(unsigned)_MM_ROUND_MASK) | s->rounding);
    for (int h = 0; h < 2; h++) {
        __m256i v[3] = {s->own.half[h], s->x.half[h], s->y.half[one_count ? 0 : h]};
        emulate_twins[s->f->twin](v);
        out->v.half[h] = v[0];
    }
    _mm_setcsr(before);
}

static void store_result(const sample *s, const expected *e, uint8_t *to)
{
    const bool merged = strstr(s->name, "blendm") || strstr(s->name, "compress");
    const unsigned lane = s->f->lane;
    unsigned stored = e->total;

    if (s->to_memory && strstr(s->name, "compress"))
        stored = (unsigned)__builtin_popcountll(s->k1 & low_bits(s->bytes / lane)) * lane;
    for (unsigned at = 0; at < stored; at++) {
        const unsigned i = at / lane;
        const bool active = merged || !s->masked || (is_scalar(s) && i > 0) || s->k1 >> i & 1;
        if (active)
            to[at] = e->v.u8[at];
        else if (s->zeroing)
            to[at] = 0;
    }
    if (!s->to_memory)
        memset(to + e->total, 0, sizeof(vector) - e->total);
}

static void store(world *w, const sample *s, const expected *e, const char *destination)
{
    const int number = register_number(destination);

    if (e->what == OUTCOME_FLAGS)
        operand_write_flags(&w->s, e->bits & 1, e->bits & 2, e->bits & 4);
    else if (e->what == OUTCOME_BITS && s->to_memory)
        memcpy(w->memory + OPERAND_AT, &e->bits,
               s->name[4] == 'b'   ? 1
               : s->name[4] == 'w' ? 2
               : s->name[4] == 'd' ? 4
                                   : 8);
    else if (e->what == OUTCOME_BITS && s->to_general)
        w->f.general[0] = e->bits;
    else if (e->what == OUTCOME_BITS)
        w->s.k[number] = e->bits;
    else
        store_result(s, e, s->to_memory ? w->memory + OPERAND_AT : w->s.z[number].u8);
}

/* Gathers and scatters: lanes at addresses, and the mask used up. */
static void expect_indexed(world *w, const form *f, const operands *o)
{
    const bool gather = strstr(f->text, "gather");
    const unsigned lanes = f->lane == 4 && f->sources == 4 ? 16 : 8;
    vector *v = &w->s.z[register_number(o->text[gather ? 1 : 0])];

    for (unsigned i = 0; i < lanes; i++) {
        const uint64_t index = f->sources == 4 ? w->s.z[2].u32[i] : w->s.z[2].u64[i];
        uint8_t *at = w->memory + OPERAND_AT + index;
        if (w->s.k[1] >> i & 1)
            memcpy(gather ? v->u8 + i * f->lane : at, gather ? at : v->u8 + i * f->lane, f->lane);
    }
    if (gather)
        memset(v->u8 + lanes * f->lane, 0, sizeof *v - lanes * f->lane);
    w->s.k[1] = 0;
}

static void run_expected(world *w, const form *f)
{
    sample s = {.f = f};
    expected e;
    operands o;

    parse(f, &o, &s);
    if (strstr(f->text, "(%rdi,")) {
        expect_indexed(w, f, &o);
        return;
    }
    const bool flags = strstr(f->text, "comis") != NULL;
    const char *destination = o.text[o.count - 1];
    const int sources = flags ? 2 : o.count - 1;
    s.k1 = s.masked ? w->s.k[1] : ~0ull;
    s.k3 = w->s.k[3];
    s.k4 = w->s.k[4];
    w->s.f = &w->f;
    load(w, f, o.text[flags ? 1 : sources == 2 ? 1 : 0], &s.x);
    load(w, f, o.text[0], &s.y);
    if (!s.to_memory && strstr(destination, "mm"))
        s.own = w->s.z[register_number(destination)];
    if (f->twin)
        run_twin(&s, sources == 2 && s.bytes > 16 && strstr(o.text[0], "xmm"), &e);
    else
        oracle(&s, &e);
    store(w, &s, &e, destination);
}

/* ---- Comparison ---- */

static bool same_flags(const world *a, const world *b) { return !((a->f.flags ^ b->f.flags) & 0x8d5); }

static void print_bytes(const char *what, const void *bytes, size_t count)
{
    fprintf(stderr, "  %-9s", what);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s%02x", i % 4 ? "" : " ", ((const uint8_t *)bytes)[i]);
    fprintf(stderr, "\n");
}

/* Prints where they differ. */
static bool same(const form *f, int round, const world *before, const world *got, const world *want)
{
    bool ok = !memcmp(got->memory, want->memory, MEMORY) && same_flags(got, want) &&
              !memcmp(got->s.k, want->s.k, sizeof got->s.k) && !memcmp(got->s.z, want->s.z, sizeof got->s.z) &&
              got->f.general[0] == want->f.general[0];

    if (ok)
        return true;
    fprintf(stderr, "%s: wrong in round %d\n", f->text, round);
    for (int i = 0; i < 32; i++)
        if (memcmp(&got->s.z[i], &want->s.z[i], sizeof(vector))) {
            fprintf(stderr, "  register %d\n", i);
            print_bytes("before", &before->s.z[i], 64);
            print_bytes("source 1", &before->s.z[i + 1], 64);
            print_bytes("source 2", &before->s.z[(i + 2) % 32], 64);
            print_bytes("memory", before->memory + OPERAND_AT, 64);
            print_bytes("is", &got->s.z[i], 64);
            print_bytes("has to be", &want->s.z[i], 64);
        }
    print_bytes("k is", got->s.k, 40);
    print_bytes("has to be", want->s.k, 40);
    fprintf(stderr, "  rax %llx, has to be %llx; flags %llx, have to be %llx\n", (unsigned long long)got->f.general[0],
            (unsigned long long)want->f.general[0], (unsigned long long)got->f.flags,
            (unsigned long long)want->f.flags);
    return false;
}

static bool check(const form *f, int *natively)
{
    static world before, got, want;
    const bool native = runs_natively(f);

    *natively += native;
    for (int round = 0; round < ROUNDS; round++) {
        world_fill(&before, f, round);
        got = want = before;
        run_emulated(&got, f);
        if (native)
            run_native(&want, f);
        else
            run_expected(&want, f);
        if (!same(f, round, &before, &got, &want))
            return false;
    }
    return true;
}

/* ---- All ---- */

static bool has_form(ZydisMnemonic mnemonic)
{
    const char *name = ZydisMnemonicGetString(mnemonic);
    const size_t length = strlen(name);

    for (const form *f = emulate_forms; f < emulate_forms_end; f++)
        if (!strncmp(f->text, name, length) && f->text[length] == ' ')
            return true;
    fprintf(stderr, "%s: no form\n", name);
    return false;
}

static int missing_forms(void)
{
    const semantics_table *tables[] = {&semantics_integer, &semantics_float,   &semantics_convert,
                                       &semantics_move,    &semantics_permute, &semantics_mask};
    int missing = 0;

    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            missing += !has_form(tables[t]->rows[i].mnemonic);
    return missing;
}

int main(int argc, char **argv)
{
    int forms = 0, wrong = 0, natively = 0;

    if (!machine_host_suffices()) {
        printf("skipped: this CPU lacks AVX2, FMA or F16C\n");
        return 77;
    }
    for (const form *f = emulate_forms; f < emulate_forms_end; f++) {
        const char *name = argc > 1 ? argv[1] : "";
        if (strncmp(f->text, name, strlen(name)))
            continue;
        forms++;
        wrong += !check(f, &natively);
    }
    printf("%d forms, %d of them against the CPU: %d wrong\n", forms, natively, wrong);
    return wrong || missing_forms();
}
