#include "controller/store/store.h"

#define STORE_ENTRY(name) &store_ops_##name,
const struct store_ops *const store_list[] = { STORE_LIST(STORE_ENTRY) };
#undef STORE_ENTRY
const size_t store_list_count = sizeof store_list / sizeof store_list[0];
