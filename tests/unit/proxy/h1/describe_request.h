/* "GET /path ?query >forward @host:port host 1.1 keep none", as check_every_split() compares it. */
#ifndef TESTS_UNIT_PROXY_H1_DESCRIBE_REQUEST_H
#define TESTS_UNIT_PROXY_H1_DESCRIBE_REQUEST_H

#include "tests/unit/proxy/h1/every_split.h"

static const struct h1_limits test_limits = { .head_bytes = 4096, .target_bytes = 64, .field_count = 6 };

static inline void describe_request(struct buf *out, const struct h1_request *r)
{
    buf_printf(out, "%.*s %.*s", SLICE_FMT(r->head.method_text), SLICE_FMT(r->head.path));
    if (r->head.query.len > 0) {
        buf_printf(out, " ?%.*s", SLICE_FMT(r->head.query));
    }
    if (r->target_rewritten != !slice_equals(r->head.target, r->head.forward_target)) {
        buf_printf(out, " target_rewritten is wrong");
    }
    if (r->target_rewritten) {
        buf_printf(out, " >%.*s", SLICE_FMT(r->head.forward_target));
    }
    buf_printf(out, " @%.*s %.*s", SLICE_FMT(r->head.authority), SLICE_FMT(r->head.host));
    buf_printf(out, " 1.%d %s %s", r->head.version, r->head.keep_alive ? "keep" : "close",
               http_body_to_str(r->head.body));
    if (r->head.content_length > 0) {
        buf_printf(out, " %llu", (unsigned long long)r->head.content_length);
    }
    buf_printf(out, "%s%s%s%s%s%s", r->head.rewrites_content_length ? " rewrites" : "",
               r->head.authority_from_target ? " authority" : "", r->head.expects_continue ? " continue" : "",
               r->head.has_unknown_expectation ? " unknown-expectation" : "", r->head.accepts_trailers ? " te" : "",
               r->head.declares_trailer ? " trailer" : "");
    if (r->head.upgrade || r->head.upgrade_protocol.len > 0) {
        buf_printf(out, "%s=%.*s", r->head.upgrade ? " upgrade" : " no", SLICE_FMT(r->head.upgrade_protocol));
    }
}

static inline bool parse_and_describe_request(const char *buf, size_t len, size_t *resume_at, struct buf *outcome)
{
    static struct h1_request request;
    memset(&request, 0x5a, sizeof(request)); /* the parser must set all that it promises */
    enum h1_error error;
    enum h1_result result = h1_parse_request(buf, len, &test_limits, resume_at, &request, &error);
    if (result != H1_DONE) {
        buf_append_text(outcome, result == H1_MORE ? "more" : h1_error_to_str(error));
        return result == H1_BAD;
    }
    describe_request(outcome, &request);
    return true;
}

#endif
