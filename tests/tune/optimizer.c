/* optimizer.c: protects the arithmetic of a step, against numbers worked out by hand, and the schedule. */
#include "compiler/tune/learned/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int failures;
#define CHECK(x) ((x) ? (void)0 : (void)(failures++, fprintf(stderr, "line %d: %s\n", __LINE__, #x)))
#define NEAR(a, b) CHECK(fabs((double)(a) - (double)(b)) < 1e-6)

static void check_sgd(void)
{
    const optimizer_options o = {.kind = OPTIMIZER_SGD, .rate = 0.1, .momentum = 0.5, .steps = 10};
    float x[2] = {1, -2}, g[2] = {1, 2}, m[2] = {0};
    optimizer_block b = {.numbers = x, .gradient = g, .first = m, .count = 2, .share = 1, .decay = 0.1f};
    optimizer_step(&o, &b, 1, 0); /* m = 1, 2; x = 1 - 0.1 (1 + 0.1), -2 - 0.1 (2 - 0.2) */
    NEAR(x[0], 0.89);
    NEAR(x[1], -2.18);
    optimizer_step(&o, &b, 1, 1); /* m = 1.5, 3 */
    NEAR(x[0], 0.89 - 0.1 * (1.5 + 0.089));
    NEAR(x[1], -2.18 - 0.1 * (3 - 0.218));
}

static void check_adam(void)
{
    const optimizer_options o = {.kind = OPTIMIZER_ADAM, .rate = 0.01, .steps = 10};
    float x[2] = {1, -2}, g[2] = {1e-3f, -400}, m[2] = {0}, v[2] = {0};
    optimizer_block b = {.numbers = x, .gradient = g, .first = m, .second = v, .count = 2, .share = 2};
    optimizer_step(&o, &b, 1, 0); /* the first step has the size of the rate, whatever the gradient */
    NEAR(x[0], 0.98);
    NEAR(x[1], -1.98);
    g[0] = -1e-3f; /* m = (0.9 * 0.1 - 0.1) 1e-3, over 1 - 0.81; v is 1e-6 over its correction */
    optimizer_step(&o, &b, 1, 1);
    NEAR(x[0], 0.98 + 0.02 * (0.01 / 0.19));
}

static void check_clip(void)
{
    const optimizer_options o = {.kind = OPTIMIZER_SGD, .rate = 1, .clip = 1, .steps = 1};
    float x[2] = {0}, g[2] = {3, 4}, m[2] = {0};
    optimizer_block b[2] = {{.numbers = x, .gradient = g, .first = m, .count = 1, .share = 1},
                            {.numbers = x + 1, .gradient = g + 1, .first = m + 1, .count = 1, .share = 1}};
    NEAR(optimizer_norm(b, 2), 5);
    CHECK(optimizer_is_finite(b, 2));
    optimizer_step(&o, b, 2, 0);
    NEAR(x[0], -0.6);
    NEAR(x[1], -0.8);
    b[1].gradient[0] = -INFINITY;
    CHECK(!optimizer_is_finite(b, 2));
}

static void check_schedule(void)
{
    optimizer_options o = {.schedule = SCHEDULE_COSINE, .rate = 2, .warmup = 4, .steps = 12};
    NEAR(optimizer_rate(&o, 0), 0.5);
    NEAR(optimizer_rate(&o, 3), 2);
    NEAR(optimizer_rate(&o, 4), 2);
    NEAR(optimizer_rate(&o, 8), 1);
    CHECK(optimizer_rate(&o, 11) > 0 && optimizer_rate(&o, 11) < 0.1);
    o.schedule = SCHEDULE_CONSTANT;
    NEAR(optimizer_rate(&o, 11), 2);
}

int main(void)
{
    check_sgd();
    check_adam();
    check_clip();
    check_schedule();
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
