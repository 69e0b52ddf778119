/* attributes_test.c: what the operator tables declare of attributes.
 *
 * Protects: the words of node_attributes.h mean what they say, and a node whose attributes or version its row does not
 * declare is refused with one diagnostic. */
#include <string.h>

#include "../unit/test.h"
#include "frontends/node/node_attributes.h"

static const char declared[] = "axis mode:DCR|CRD saturate=1 precision=0|1 seed~ axis_of";

static void test_words(void)
{
    CHECK(attribute_rule_of(declared, "axis").use == ATTRIBUTE_READ);
    CHECK(!*attribute_rule_of(declared, "axis").values);
    CHECK(attribute_rule_of(declared, "axis_of").use == ATTRIBUTE_READ);
    CHECK(attribute_rule_of(declared, "mode").use == ATTRIBUTE_READ);
    CHECK(strcmp(attribute_rule_of(declared, "mode").values, "DCR|CRD") == 0);
    CHECK(attribute_rule_of(declared, "saturate").use == ATTRIBUTE_FIXED);
    CHECK(strcmp(attribute_rule_of(declared, "saturate").values, "1") == 0);
    CHECK(attribute_rule_of(declared, "seed").use == ATTRIBUTE_IGNORED);
    const char *unknown[] = {"", "axi", "axis_", "DCR", "of", "axis mode", "saturate=1"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        CHECK(attribute_rule_of(declared, unknown[i]).use == ATTRIBUTE_UNKNOWN);
    static const char operands[] = "#_scale #_threshold~";
    CHECK(attribute_rule_of(operands, "X0_scale").use == ATTRIBUTE_READ);
    CHECK(attribute_rule_of(operands, "Filter12_scale").use == ATTRIBUTE_READ);
    CHECK(attribute_rule_of(operands, "Out0_threshold").use == ATTRIBUTE_IGNORED);
    const char *others[] = {"_scale", "X_scale", "0_scale", "X0_scales", "X0scale", "X0", "#_scale", "X0_scale~"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        CHECK(attribute_rule_of(operands, others[i]).use == ATTRIBUTE_UNKNOWN);
    CHECK(attribute_rule_of("", "axis").use == ATTRIBUTE_UNKNOWN);
    CHECK(attribute_rule_of(NULL, "axis").use == ATTRIBUTE_UNKNOWN);
}

static void test_values(void)
{
    CHECK(attribute_allows_int("0|1", 0) && attribute_allows_int("0|1", 1) && !attribute_allows_int("0|1", 2));
    CHECK(attribute_allows_int("-1", -1) && !attribute_allows_int("-1", 1));
    CHECK(!attribute_allows_int("0", INT64_MIN) && !attribute_allows_int("9007199254740992", ((int64_t)1 << 53) + 1));
    CHECK(attribute_allows_real("1", 1) && attribute_allows_real("0|0.5", 0.5) && !attribute_allows_real("0.5", 0.25));
    CHECK(attribute_allows_text("DCR|CRD", "CRD", 3) && !attribute_allows_text("DCR|CRD", "DCR|", 4));
    CHECK(!attribute_allows_text("DCR|CRD", "", 0) && !attribute_allows_text("DCR", "DC", 2));
}

static bool is_one(const frontend_attribute *a, const char *values)
{
    (void)a;
    return attribute_allows_int(values, 1);
}

/* Checks a node with one attribute, which the importer looks at or not. */
static bool accepted(const char *name, bool looks, const char **out_text)
{
    static diag d;
    d = (diag){0};
    frontend_model m = {.diag = &d};
    frontend_attribute a = {.name = name};
    frontend_node n = {
        .model = &m, .declared = declared, .declared_by_all = "role~", .attributes = &a, .attribute_count = 1};
    bool good = (node_attributes_known)(&n, is_one);
    if (good && looks)
        (node_attribute)(&n, name)->read = true;
    good = good && (node_attributes_read)(&n);
    *out_text = d.text;
    return good;
}

static void test_nodes(void)
{
    const char *text;
    CHECK(accepted("axis", true, &text) && accepted("saturate", false, &text) && accepted("precision", false, &text));
    CHECK(accepted("seed", false, &text) && accepted("role", false, &text));
    CHECK(!accepted("axis", false, &text) && strstr(text, "the attribute axis "));
    CHECK(!accepted("mode", true, &text) && strstr(text, "DCR|CRD"));
    CHECK(!accepted("block_size", false, &text) && strstr(text, "the attribute block_size is not supported"));
}

static void test_types(void)
{
    diag d = {0};
    frontend_model m = {.diag = &d};
    frontend_attribute a = {.name = "axis"};
    frontend_node n = {.model = &m, .declared = declared, .attributes = &a, .attribute_count = 1};
    CHECK((node_attributes_typed)(&n));
    a.sought = a.read = true;
    CHECK((node_attributes_typed)(&n));
    a.read = false;
    CHECK(!(node_attributes_typed)(&n) && strstr(d.text, "the attribute axis has a wrong type"));
}

static void test_versions(void)
{
    diag d = {0};
    frontend_model m = {.diag = &d};
    frontend_node n = {.model = &m};
    CHECK((node_version_known)(&n, 6, 6, 13, "operator set") && (node_version_known)(&n, 13, 6, 13, "operator set"));
    CHECK(!(node_version_known)(&n, 14, 6, 13, "operator set") && strstr(d.text, "operator set 13 or older"));
    d = (diag){0};
    CHECK(!(node_version_known)(&n, 1, 6, 13, "operator set") && strstr(d.text, "from 6 on"));
}

int main(void)
{
    test_words();
    test_values();
    test_nodes();
    test_types();
    test_versions();
    return test_end();
}
