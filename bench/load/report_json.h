/* report_json: the result for programs, in the format of output.md. Main thread. */
#ifndef BENCH_LOAD_REPORT_JSON_H
#define BENCH_LOAD_REPORT_JSON_H

#include <jansson.h>

#include "bench/load/run.h"

json_t *report_json_new(const struct run *run); /* the caller's, to json_decref() */

#endif
