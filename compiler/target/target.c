/* target.c: the table of targets.h, and this machine beside it. */
#include "compiler/target/target.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
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
    static const struct {
        uint32_t feature;
        const char *reason;
    } reasons[] = {
        /* the first says most */
        {QCC_CPU_F16C, "this CPU lacks F16C"},
        {QCC_CPU_AVX2, "this CPU lacks AVX2, or BMI1, BMI2, LZCNT or MOVBE beside it"},
        {QCC_CPU_FMA, "this CPU lacks FMA"},
        {QCC_CPU_AVX_VNNI, "this CPU lacks AVX-VNNI"},
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

/* ---- Several ---- */

static_assert(TARGET_COUNT <= 32, "a bit each");
#define NAME_BYTES_(NAME, ...) +sizeof #NAME
static_assert(0 TARGETS(NAME_BYTES_) <= TARGET_SET_TEXT, "room for all names");

const char *target_set_parse(const char *names, target_set *out)
{
    *out = 0;
    for (const char *at = names;; at++) {
        char name[TARGET_SET_TEXT];
        const size_t length = strcspn(at, ",");
        const target_info *t = NULL;
        if (length < sizeof name) {
            memcpy(name, at, length);
            name[length] = 0;
            t = target_find(name);
        }
        if (!t)
            return at;
        *out |= (target_set)1 << (t - targets);
        at += length;
        if (!*at)
            return NULL;
    }
}

target_set target_set_of(const char *names)
{
    target_set set;

    return target_set_parse(names, &set) ? 0 : set;
}

const target_info *target_set_best(target_set set)
{
    for (int i = 0; i < TARGET_COUNT; i++)
        if (set >> i & 1)
            return &targets[i];
    return NULL;
}

const char *target_set_text(target_set set, char text[TARGET_SET_TEXT])
{
    size_t used = 0;

    text[0] = 0;
    for (; set; set = target_set_rest(set))
        used +=
            (size_t)snprintf(text + used, TARGET_SET_TEXT - used, "%s%s", used ? "," : "", target_set_best(set)->name);
    return text;
}

const char *target_set_lacking(target_set set)
{
    const char *reason = "no target";

    for (; set && reason; set = target_set_rest(set))
        reason = target_lacking(target_set_best(set));
    return reason;
}

const char *target_refuses(const char *names)
{
    const target_set set = target_set_of(names);

    return set ? target_set_lacking(set) : "unknown target";
}
