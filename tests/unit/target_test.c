/* Protects sets of targets: names between commas mean the same in any order and number, the best comes first, what is
 * no name is told. */
#include <string.h>

#include "compiler/target/target.h"
#include "test.h"

static bool parses(const char *names, const char *text)
{
    char got[TARGET_SET_TEXT];
    target_set set;

    return !target_set_parse(names, &set) && !strcmp(target_set_text(set, got), text);
}

/* All names, best first or last. */
static void all_names(char text[TARGET_SET_TEXT], bool backwards)
{
    int count;
    const target_info *targets = target_list(&count);

    text[0] = 0;
    for (int i = 0; i < count; i++) {
        strcat(text, i ? "," : "");
        strcat(text, targets[backwards ? count - 1 - i : i].name);
    }
}

static void test_names(void)
{
    /* clang-format off */
    static const struct { const char *names, *unknown; } bad[] = {
        {"", ""}, {"pdp11", "pdp11"}, {"generic,pdp11", "pdp11"}, {"pdp11,generic", "pdp11,generic"}, {"generic,", ""},
        {",generic", ",generic"}, {"generic,,generic", ",generic"}, {"generic generic", "generic generic"}, {"Generic", "Generic"}};
    /* clang-format on */
    char forwards[TARGET_SET_TEXT], backwards[TARGET_SET_TEXT], twice[2 * TARGET_SET_TEXT];
    target_set set;

    CHECK(parses("generic", "generic") && parses("generic,generic", "generic"));
    all_names(forwards, false);
    all_names(backwards, true);
    CHECK(parses(forwards, forwards) && parses(backwards, forwards));
    snprintf(twice, sizeof twice, "%s,%s", backwards, forwards);
    CHECK(parses(twice, forwards));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *unknown = target_set_parse(bad[i].names, &set);
        CHECK(unknown && !strcmp(unknown, bad[i].unknown));
        CHECK(!target_set_of(bad[i].names));
    }
}

static void test_members(void)
{
    char all[TARGET_SET_TEXT];
    int count, members = 0;
    const target_info *targets = target_list(&count);

    all_names(all, true);
    for (target_set left = target_set_of(all); left; left = target_set_rest(left))
        CHECK(target_set_best(left) == &targets[members++]);
    CHECK(members == count && !target_set_best(0));
    CHECK(target_set_has_one(target_set_of("generic")) && !target_set_has_one(target_set_of(all)) &&
          !target_set_has_one(0));
}

/* native is what this machine can run; with generic among them any machine can. */
static void test_here(void)
{
    char all[TARGET_SET_TEXT];
    target_set native;

    all_names(all, false);
    CHECK(!target_refuses(all) && !target_refuses("generic") && !target_refuses("native") && target_refuses("pdp11"));
    CHECK(!target_set_parse("native,generic", &native) && target_set_best(native) == target_find("native"));
    CHECK(!target_set_lacking(native) && target_set_lacking(0));
}

int main(void)
{
    test_names();
    test_members();
    test_here();
    return test_end();
}
