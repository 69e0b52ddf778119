/* rows.h: from a row of a table to its place among all (semantics.h), behind shapes.h. */
#undef MAP1
#undef MAP2
#undef PERMUTE1
#undef PERMUTE2
#undef SHIFT
#undef COMPARE
#undef CONVERT
#undef IN_HALVES1
#undef IN_HALVES2
#undef IN_HALVES3
#undef SCALAR
#undef SCALAR2
#undef SCALAR3
#undef MASK1
#undef MASK2
#undef MASK_FLAGS
#undef WRITTEN
#undef SAME
#define SAME(NAME, FUNCTION) {ZYDIS_MNEMONIC_##NAME, run_##FUNCTION},
#define WRITTEN(NAME) SAME(NAME, NAME)
#define MAP1(NAME, ...) WRITTEN(NAME)
#define MAP2(NAME, ...) WRITTEN(NAME)
#define PERMUTE1(NAME, ...) WRITTEN(NAME)
#define PERMUTE2(NAME, ...) WRITTEN(NAME)
#define SHIFT(NAME, ...) WRITTEN(NAME)
#define COMPARE(NAME, ...) WRITTEN(NAME)
#define CONVERT(NAME, ...) WRITTEN(NAME)
#define IN_HALVES1(NAME, ...) WRITTEN(NAME)
#define IN_HALVES2(NAME, ...) WRITTEN(NAME)
#define IN_HALVES3(NAME, ...) WRITTEN(NAME)
#define SCALAR(NAME, ...) WRITTEN(NAME)
#define SCALAR2(NAME, ...) WRITTEN(NAME)
#define SCALAR3(NAME, ...) WRITTEN(NAME)
#define MASK1(NAME, ...) WRITTEN(NAME)
#define MASK2(NAME, ...) WRITTEN(NAME)
#define MASK_FLAGS(NAME, ...) WRITTEN(NAME)
