/* Protects qcc_run's contract with a model written by hand: arguments are checked, steps run in order, every unit
 * runs exactly once whatever the number of threads, runs on separate pools don't disturb one another, state is reset,
 * the caller's floating-point environment comes back, workers block the program's signals and not their own faults', a
 * pool survives a fork. */
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu.h"
#include "model_abi.h"
#include "pool.h"
#include "profile.h"
#include "test.h"
#include "variant.h"

enum { COUNT = 1000, STEPS = 3 };

/* workspace[i] = input[i] * 3 */
static void triple(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    const int32_t *x = frame->inputs[0];
    int32_t *y = (int32_t *)(void *)frame->workspace;
    for (uint32_t i = begin; i < end; i++)
        y[i] = x[i] * 3;
}

/* workspace[COUNT] = a number that depends on the order of all of them */
static void fold(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    int32_t *y = (int32_t *)(void *)frame->workspace;
    uint32_t sum = (uint32_t)y[COUNT + 1]++; /* state: how many runs came before */
    for (uint32_t i = 0; i < COUNT; i++)
        sum = sum * 31 + (uint32_t)y[i];
    y[COUNT] = begin == 0 && end == 1 ? (int32_t)sum : -1;
}

/* output[i] += workspace[i] + workspace[COUNT]; adding shows a unit that ran twice */
static void finish(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    const int32_t *y = (const int32_t *)(const void *)frame->workspace;
    int32_t *z = frame->outputs[0];
    for (uint32_t i = begin; i < end; i++)
        z[i] = (int32_t)((uint32_t)z[i] + (uint32_t)y[i] + (uint32_t)y[COUNT]);
}

static const qcc_step steps[STEPS] = {
    {triple, COUNT, 64, "a", "mul", "1000", COUNT, 1, 0, 0},
    {fold, 1, 64, "b", "sum", "1000 -> 1", 0, 1, 0, 0},
    {finish, COUNT, 5, "c", "add", "1000", 0, 1, 0, 0},
};
static const qcc_tensor_info input = {"x", QCC_I32, 1, {COUNT}, COUNT * 4, 0, 0};
static const qcc_tensor_info output = {"y", QCC_I32, 1, {COUNT}, COUNT * 4, 0, 0};
static const int32_t first_state = 7;
static const qcc_variant everywhere = {"none", steps, STEPS, 0};
static const qcc_variant nowhere = {"all", steps, STEPS, 1u << 30}; /* no CPU has it */
/* clang-format off */
static const struct qcc_model model = {
    .magic = QCC_MODEL_MAGIC, .abi_version = QCC_ABI_VERSION, .input_count = 1, .output_count = 1, .name = "m",
    .inputs = &input, .outputs = &output, .variants = &everywhere, .variant_count = 1, .workspace_bytes = (COUNT + 2) * 4,
    .initial_state = &first_state, .state_offset = (COUNT + 1) * 4, .state_bytes = 4,
};
/* clang-format on */

typedef struct buffers {
    int32_t x[COUNT], z[COUNT];
    _Alignas(64) int32_t workspace[COUNT + 2];
} buffers;

static qcc_status run(buffers *b, const qcc_model *m, qcc_pool *pool)
{
    const void *inputs[] = {b->x};
    void *outputs[] = {b->z};
    memset(b->z, 0, sizeof b->z);
    return qcc_run(m, inputs, outputs, b->workspace, pool);
}

static void fill(buffers *b, int32_t seed)
{
    for (int32_t i = 0; i < COUNT; i++)
        b->x[i] = i * 7 + seed;
    qcc_reset(&model, b->workspace);
}

static void expected(int32_t seed, uint32_t state, int32_t z[COUNT])
{
    uint32_t sum = state;
    for (int32_t i = 0; i < COUNT; i++)
        sum = sum * 31 + (uint32_t)((i * 7 + seed) * 3);
    for (int32_t i = 0; i < COUNT; i++)
        z[i] = (int32_t)((uint32_t)((i * 7 + seed) * 3) + sum);
}

static void test_threads(void)
{
    static buffers b;
    static int32_t want[COUNT];
    for (unsigned threads = 0; threads <= 9; threads++) {
        qcc_pool *pool = threads ? qcc_pool_create(threads) : NULL;
        CHECK(qcc_pool_threads(pool) == (threads ? threads : 1));
        fill(&b, (int32_t)threads);
        for (uint32_t r = 0; r < 200; r++) {
            CHECK(run(&b, &model, pool) == QCC_OK);
            expected((int32_t)threads, (uint32_t)first_state + r, want);
            CHECK(memcmp(b.z, want, sizeof want) == 0);
        }
        qcc_pool_destroy(pool);
    }
    CHECK(qcc_pool_create(0) == NULL);
}

static void *own_pool(void *argument)
{
    buffers *b = argument;
    static _Atomic int32_t next_seed = 100;
    const int32_t seed = next_seed++;
    int32_t want[COUNT];
    qcc_pool *pool = qcc_pool_create(2);
    fill(b, seed);
    for (uint32_t r = 0; r < 200; r++) {
        CHECK(run(b, &model, pool) == QCC_OK);
        expected(seed, (uint32_t)first_state + r, want);
        CHECK(memcmp(b->z, want, sizeof want) == 0);
    }
    qcc_pool_destroy(pool);
    return NULL;
}

static void test_concurrent(void)
{
    enum { N = 4 };
    static buffers b[N];
    pthread_t threads[N];
    for (int i = 0; i < N; i++)
        CHECK(pthread_create(&threads[i], NULL, own_pool, &b[i]) == 0);
    for (int i = 0; i < N; i++)
        pthread_join(threads[i], NULL);
}

/* Raises what a program may want to see of its own computations only: inexact, and division by zero. */
static void inexact(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    volatile float one = 1, three = 3, zero = 0;
    float *z = frame->outputs[0];
    for (uint32_t i = begin; i < end; i++)
        z[i] = one / three + one / zero;
}

static void test_environment(void)
{
    static const qcc_step step = {inexact, 8, 8, "a", "div", "8", 0, 0, 0, 0};
    static const qcc_tensor_info result = {"y", QCC_F32, 1, {8}, 32, 0, 0};
    struct qcc_model m = model;
    float z[8];
    void *outputs[] = {z};
    m.input_count = 0;
    m.variants = &(const qcc_variant){"none", &step, 1, 0};
    m.outputs = &result;
    m.workspace_bytes = 0;
    for (int raised = 0; raised < 2; raised++)
        for (int mode = 0; mode < 2; mode++) {
            feclearexcept(FE_ALL_EXCEPT);
            fesetround(mode ? FE_UPWARD : FE_TONEAREST);
            if (raised)
                feraiseexcept(FE_OVERFLOW);
            const int before = fetestexcept(FE_ALL_EXCEPT);
            CHECK(qcc_run(&m, NULL, outputs, NULL, NULL) == QCC_OK);
            CHECK(fetestexcept(FE_ALL_EXCEPT) == before);
            CHECK(fegetround() == (mode ? FE_UPWARD : FE_TONEAREST));
        }
    fesetround(FE_TONEAREST);
    feclearexcept(FE_ALL_EXCEPT);
}

/* z[i] = whether the thread that computes it takes a program's signals, and those of its own faults. */
static void look_at_signals(const qcc_frame *frame, uint32_t begin, uint32_t end)
{
    int32_t *z = frame->outputs[0];
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (uint32_t i = begin; i < end; i++)
        z[i] = (sigismember(&blocked, SIGTERM) ? 0 : 1) | (sigismember(&blocked, SIGSEGV) ? 0 : 2);
}

/* Workers leave the program its signals; what a fault of theirs raises is not held back, or a program's handler would
 * never see it. */
static void test_signals(void)
{
    static const qcc_step step = {look_at_signals, 64, 64, "a", "look", "64", 0, 0, 0, 0};
    static const qcc_tensor_info result = {"y", QCC_I32, 1, {64}, 256, 0, 0};
    qcc_pool *pool = qcc_pool_create(3);
    struct qcc_model m = model;
    int32_t z[64];
    void *outputs[] = {z};
    m.input_count = 0;
    m.variants = &(const qcc_variant){"none", &step, 1, 0};
    m.outputs = &result;
    m.workspace_bytes = 0;
    int both = 0, faults = 0; /* of the caller, of workers */
    for (int times = 0; times < 20; times++) {
        CHECK(qcc_run(&m, NULL, outputs, NULL, pool) == QCC_OK);
        for (int i = 0; i < 64; i++) {
            both += z[i] == 3;
            faults += z[i] == 2;
        }
    }
    CHECK(both + faults == 20 * 64);
    qcc_pool_destroy(pool);
}

/* The child has no workers: it computes alone, destroys the copy, and may make a pool of its own. */
static void test_fork(void)
{
    static buffers b;
    static int32_t want[COUNT];
    qcc_pool *pool = qcc_pool_create(3);
    fill(&b, 5);
    CHECK(run(&b, &model, pool) == QCC_OK);
    const pid_t child = fork();
    CHECK(child >= 0);
    for (uint32_t r = 1; r < 20; r++) {
        CHECK(run(&b, &model, pool) == QCC_OK);
        expected(5, (uint32_t)first_state + r, want);
        CHECK(memcmp(b.z, want, sizeof want) == 0);
    }
    qcc_pool_destroy(pool);
    if (child == 0) {
#if !defined(__SANITIZE_THREAD__) /* which can't follow threads into a child */
        qcc_pool *own = qcc_pool_create(2);
        CHECK(run(&b, &model, own) == QCC_OK);
        qcc_pool_destroy(own);
#endif
        _exit(test_end());
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void test_refusals(void)
{
    static buffers b;
    fill(&b, 1);
    const void *inputs[] = {b.x}, *no_input[] = {NULL};
    void *outputs[] = {b.z}, *no_output[] = {NULL};
    CHECK(qcc_run(NULL, inputs, outputs, b.workspace, NULL) == QCC_BAD_ARGUMENT);
    CHECK(qcc_run(&model, NULL, outputs, b.workspace, NULL) == QCC_BAD_ARGUMENT);
    CHECK(qcc_run(&model, no_input, outputs, b.workspace, NULL) == QCC_BAD_ARGUMENT);
    CHECK(qcc_run(&model, inputs, no_output, b.workspace, NULL) == QCC_BAD_ARGUMENT);
    CHECK(qcc_run(&model, inputs, outputs, NULL, NULL) == QCC_BAD_ARGUMENT);
    CHECK(qcc_run(&model, inputs, outputs, (char *)b.workspace + 4, NULL) == QCC_BAD_ARGUMENT);

    struct qcc_model other = model;
    other.abi_version = QCC_ABI_VERSION_SHAPES + 1;
    CHECK(run(&b, &other, NULL) == QCC_BAD_MODEL);
    other = model;
    other.variants = &nowhere;
    CHECK(run(&b, &other, NULL) == QCC_UNSUPPORTED_CPU);
    CHECK(qcc_set_weights(&model, &b, sizeof b) == QCC_BAD_ARGUMENT); /* has them inside */
}

/* The weights of another model, of another version, cut short or where they can't be used are refused, and what was
 * set stays. */
static void test_weights(void)
{
    static buffers b;
    static _Alignas(64) unsigned char file[192], other_file[192];
    qcc_weights_header header = {QCC_WEIGHTS_MAGIC, QCC_ABI_VERSION, 77};
    qcc_weights_slot slot = {NULL, 77};
    struct qcc_model m = model;
    m.weights = &slot;
    m.weights_bytes = 128;
    fill(&b, 1);
    CHECK(run(&b, &m, NULL) == QCC_NO_WEIGHTS);

    memcpy(file, &header, sizeof header);
    CHECK(qcc_set_weights(NULL, file, 128) == QCC_BAD_ARGUMENT && qcc_set_weights(&m, NULL, 128) == QCC_BAD_ARGUMENT);
    CHECK(qcc_set_weights(&m, file, 127) == QCC_BAD_WEIGHTS && qcc_set_weights(&m, file, 192) == QCC_BAD_WEIGHTS);
    CHECK(qcc_set_weights(&m, file, 0) == QCC_BAD_WEIGHTS);
    memcpy(file + 4, &header, sizeof header);
    CHECK(qcc_set_weights(&m, file + 4, 128) == QCC_BAD_ARGUMENT);
    CHECK(!slot.bytes && run(&b, &m, NULL) == QCC_NO_WEIGHTS);

    memcpy(file, &header, sizeof header);
    CHECK(qcc_set_weights(&m, file, 128) == QCC_OK && slot.bytes == file && run(&b, &m, NULL) == QCC_OK);
    for (int wrong = 0; wrong < 3; wrong++) {
        qcc_weights_header bad = header;
        bad.magic += wrong == 0;
        bad.abi_version += wrong == 1;
        bad.id += wrong == 2;
        memcpy(other_file, &bad, sizeof bad);
        CHECK(qcc_set_weights(&m, other_file, 128) == QCC_BAD_WEIGHTS && slot.bytes == file);
        slot.bytes = other_file; /* as a program might */
        CHECK(run(&b, &m, NULL) == QCC_BAD_WEIGHTS);
        slot.bytes = file;
    }
    slot.bytes = file + 4;
    CHECK(run(&b, &m, NULL) == QCC_BAD_WEIGHTS);
}

/* Whatever machine this is: the first variant whose instructions are all there. */
static void test_choice(void)
{
    enum { A = QCC_CPU_AVX2, B = QCC_CPU_FMA, C = QCC_CPU_AVX512 };
    static const qcc_variant all[] = {
        {"best", steps, 1, A | B | C}, {"good", steps, 2, A | B}, {"other", steps, 3, B}, {"any", steps, STEPS, 0}};
    static const struct {
        uint32_t features;
        int chosen;
    } cases[] = {{A | B | C, 0}, {A | B | C | 1u << 20, 0}, {A | B, 1}, {B | C, 2}, {B, 2}, {A | C, 3}, {0, 3}};
    struct qcc_model m = model;
    m.variants = all;
    m.variant_count = 4;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(qcc_variant_for(&m, cases[i].features) == &all[cases[i].chosen]);
    CHECK(qcc_variant_here(&m) == qcc_variant_for(&m, qcc_cpu_features()));
    CHECK(qcc_model_target(&m) == qcc_variant_here(&m)->target);
    m.variant_count = 2;
    CHECK(!qcc_variant_for(&m, A | C) && qcc_variant_for(&m, A | B) == &all[1]);
    m.variant_count = 0;
    CHECK(!qcc_variant_for(&m, UINT32_MAX) && !qcc_model_target(&m));
}

/* What runs is the variant that the machine has the instructions for; what it lacks is passed over. */
static void test_variant_runs(void)
{
    static buffers b;
    const qcc_variant both[] = {nowhere, everywhere};
    struct qcc_model m = model;
    m.variants = both;
    m.variant_count = 2;
    fill(&b, 1);
    CHECK(run(&b, &m, NULL) == QCC_OK && !strcmp(qcc_model_target(&m), "none"));
    m.variant_count = 1;
    CHECK(run(&b, &m, NULL) == QCC_UNSUPPORTED_CPU && !qcc_model_target(&m));
    m.variant_count = 2;
    m.abi_version = QCC_ABI_VERSION_SHAPES + 1;
    CHECK(!qcc_model_target(&m) && !qcc_model_target(NULL));
}

static void test_descriptions(void)
{
    CHECK(qcc_model_input_count(&model) == 1 && qcc_model_output_count(&model) == 1);
    CHECK(qcc_model_input(&model, 0) == &input && qcc_model_input(&model, 1) == NULL);
    CHECK(qcc_model_output(&model, 0) == &output && qcc_model_output(&model, 1) == NULL);
    CHECK(qcc_model_workspace_bytes(&model) == (COUNT + 2) * 4);
    for (int status = QCC_OK; status <= QCC_BAD_WEIGHTS; status++)
        CHECK(strcmp(qcc_status_text((qcc_status)status), "unknown status") != 0);
}

static void test_shapes(void)
{
    const qcc_tensor_info inputs[] = {{"x", QCC_I32, 2, {1, COUNT}, 4, 0, 0}, {"x", QCC_I32, 2, {4, COUNT}, 16, 0, 0}};
    struct qcc_model shapes[] = {model, model};
    shapes[0].inputs = &inputs[0];
    shapes[1].inputs = &inputs[1];
    qcc_model_set set = {shapes[0], 2, shapes};
    set.first.abi_version = QCC_ABI_VERSION_SHAPES;
    const int64_t four[] = {4, COUNT}, five[] = {5, COUNT};
    const int64_t *const as_four[] = {four}, *const as_five[] = {five}, *const whatever[] = {NULL};
    CHECK(qcc_model_shape_count(&set.first) == 2 && qcc_model_shape_count(&model) == 1 && !qcc_model_shape_count(NULL));
    CHECK(qcc_model_shape(&set.first, 1) == &shapes[1] && !qcc_model_shape(&set.first, 2));
    CHECK(qcc_model_shape(&model, 0) == &model && !qcc_model_shape(&model, 1) && !qcc_model_shape(NULL, 0));
    CHECK(qcc_model_with_shapes(&set.first, as_four) == &shapes[1] && !qcc_model_with_shapes(&set.first, as_five));
    CHECK(qcc_model_with_shapes(&set.first, whatever) == &shapes[0] && !qcc_model_with_shapes(&set.first, NULL));
    CHECK(qcc_model_with_shapes(&shapes[1], as_four) == &shapes[1] && !qcc_model_with_shapes(&shapes[0], as_four));
    static buffers b;
    fill(&b, 1);
    CHECK(run(&b, &set.first, NULL) == QCC_OK && run(&b, &shapes[1], NULL) == QCC_OK);
}

static void test_timed(void)
{
    static buffers b;
    double seconds[STEPS] = {0};
    const void *inputs[] = {b.x};
    void *outputs[] = {b.z};
    fill(&b, 3);
    CHECK(qcc_run_timed(&model, inputs, outputs, b.workspace, NULL, seconds) == QCC_OK);
    for (int i = 0; i < STEPS; i++)
        CHECK(seconds[i] >= 0);
}

static void test_cpu(void)
{
    CHECK(qcc_cpu_features() == qcc_cpu_features());
#if defined(__x86_64__)
    /* what the compiler's own detection finds must not be less than ours */
    __builtin_cpu_init();
    CHECK(!(qcc_cpu_features() & QCC_CPU_AVX2) || __builtin_cpu_supports("avx2"));
    CHECK(!(qcc_cpu_features() & QCC_CPU_AVX512_VNNI) || __builtin_cpu_supports("avx512vnni"));
#endif
}

/* Machines by what they answer, each with one answer less than the one in front of it at some place. */
static void test_cpu_of(void)
{
#if defined(__x86_64__)
    enum { FIRST = 1 << 27 | 1 << 28, FMA = 1 << 12, F16C = 1 << 29, MOVBE = 1 << 22, LZCNT = 1 << 5 };
    enum { BMI = 1 << 3 | 1 << 8, AVX2 = 1 << 5, YMM = 0x7, ZMM = 0xe7 };
    enum { AVX512 = 1 << 16 | 1 << 17 | 1 << 28 | 1 << 30, VBMI = 1 << 1, VNNI = 1 << 11, AVX_VNNI = 1 << 4 };
    enum { V3 = FIRST | FMA | F16C | MOVBE, V3_7 = AVX2 | BMI, V4_7 = V3_7 | AVX512 };
    enum { V3_FOUND = QCC_CPU_AVX2 | QCC_CPU_FMA | QCC_CPU_F16C };
    const uint32_t VL = 1u << 31;
    const struct {
        qcc_cpuid id;
        uint32_t found;
    } cases[] = {
        {{V3, V4_7 | VL, VBMI | VNNI, AVX_VNNI, LZCNT, ZMM},
         V3_FOUND | QCC_CPU_AVX512 | QCC_CPU_AVX512_VBMI | QCC_CPU_AVX512_VNNI | QCC_CPU_AVX_VNNI},
        {{V3, V4_7 | VL, VNNI, 0, LZCNT, ZMM}, V3_FOUND | QCC_CPU_AVX512 | QCC_CPU_AVX512_VNNI},
        {{V3, V4_7 | VL, 0, 0, LZCNT, ZMM}, V3_FOUND | QCC_CPU_AVX512},
        {{V3, V4_7, VBMI | VNNI, 0, LZCNT, ZMM}, V3_FOUND},
        {{V3, V4_7 | VL, VBMI | VNNI, AVX_VNNI, LZCNT, YMM}, V3_FOUND | QCC_CPU_AVX_VNNI},
        {{V3, V3_7, 0, 0, LZCNT, YMM}, V3_FOUND},
        {{V3, V3_7, 0, 0, 0, YMM}, QCC_CPU_FMA | QCC_CPU_F16C},
        {{V3 & ~(uint32_t)MOVBE, V3_7, 0, 0, LZCNT, YMM}, QCC_CPU_FMA | QCC_CPU_F16C},
        {{V3, AVX2 | 1 << 3, 0, 0, LZCNT, YMM}, QCC_CPU_FMA | QCC_CPU_F16C},
        {{V3, BMI, 0, 0, LZCNT, YMM}, QCC_CPU_FMA | QCC_CPU_F16C},
        {{FIRST | F16C, 0, 0, 0, 0, YMM}, QCC_CPU_F16C},
        {{V3, V3_7, 0, AVX_VNNI, LZCNT, 0x3}, 0},
        {{V3 & ~(uint32_t)(1 << 27), V3_7, 0, AVX_VNNI, LZCNT, YMM}, 0},
        {{0}, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(qcc_cpu_features_of(&cases[i].id) == cases[i].found);
#endif
}

int main(void)
{
    test_threads();
    test_concurrent();
    test_choice();
    test_variant_runs();
    test_environment();
    test_signals();
    test_fork();
    test_refusals();
    test_weights();
    test_descriptions();
    test_timed();
    test_shapes();
    test_cpu();
    test_cpu_of();
    return test_end();
}
