/* target.c: the table of targets.h, and this machine beside it. */
#include "compiler/target/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "compiler/target/targets.h"
#include "runtime/cpu.h"
#include "runtime/model_abi.h"

static const target_info targets[] = {
#define ROW(NAME, ...) {#NAME, __VA_ARGS__},
    TARGETS(ROW)
#undef ROW
};
enum { TARGET_COUNT = sizeof targets / sizeof targets[0] };

const target_info *target_list(int *out_count)
{
    *out_count = TARGET_COUNT;
    return targets;
}

const target_info *target_find(const char *name)
{
    const bool native = !strcmp(name, "native");

    for (int i = 0; i < TARGET_COUNT; i++)
        if (native ? !target_lacking(&targets[i]) : !strcmp(name, targets[i].name))
            return &targets[i];
    return NULL;
}

const char *target_lacking(const target_info *t)
{
    static const struct { uint32_t feature; const char *reason; } reasons[] = { /* in the order in which machines got them */
        {QCC_CPU_F16C, "this CPU lacks F16C"},
        {QCC_CPU_AVX2, "this CPU lacks AVX2"},
        {QCC_CPU_FMA, "this CPU lacks FMA"},
        {QCC_CPU_AVX512, "this CPU lacks AVX-512"},
        {QCC_CPU_AVX512_VNNI, "this CPU lacks AVX-512 VNNI"},
        {QCC_CPU_AVX512_VBMI, "this CPU lacks AVX-512 VBMI"},
    };
    const uint32_t lacking = t->needs & ~qcc_cpu_features();

    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (lacking & reasons[i].feature)
            return reasons[i].reason;
    return lacking ? "this CPU lacks instructions that the target needs" : NULL;
}

const char *target_refuses(const char *name)
{
    const target_info *t = target_find(name);

    return t ? target_lacking(t) : "unknown target";
}
