#include "bench/load/failure.h"

const char *failure_to_str(enum failure failure)
{
    static const char *const names[FAILURE_COUNT] = { [FAILURE_NONE] = "none",
#define FAILURE_NAME(id, name) [FAILURE_##id] = name,
                                                      FAILURE_LIST(FAILURE_NAME)
#undef FAILURE_NAME
    };
    return (unsigned)failure < FAILURE_COUNT ? names[failure] : "unknown";
}
