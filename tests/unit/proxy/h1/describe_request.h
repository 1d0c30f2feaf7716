/* "GET /path ?query >forward @host:port host 1.1 keep none", as check_every_split() compares it. */
#ifndef TESTS_UNIT_PROXY_H1_DESCRIBE_REQUEST_H
#define TESTS_UNIT_PROXY_H1_DESCRIBE_REQUEST_H

#include "tests/unit/proxy/h1/every_split.h"

static const struct h1_limits test_limits = { .head_bytes = 4096, .target_bytes = 64, .field_count = 6 };

static inline void describe_request(struct buf *out, const struct h1_request *r)
{
    buf_printf(out, "%.*s %.*s", SLICE_FMT(r->method_text), SLICE_FMT(r->path));
    if (r->query.len > 0) {
        buf_printf(out, " ?%.*s", SLICE_FMT(r->query));
    }
    if (r->target_rewritten != !slice_equals(r->target, r->forward_target)) {
        buf_printf(out, " target_rewritten is wrong");
    }
    if (r->target_rewritten) {
        buf_printf(out, " >%.*s", SLICE_FMT(r->forward_target));
    }
    buf_printf(out, " @%.*s %.*s", SLICE_FMT(r->authority), SLICE_FMT(r->host));
    buf_printf(out, " 1.%d %s %s", r->minor_version, r->keep_alive ? "keep" : "close", h1_body_to_str(r->body));
    if (r->content_length > 0) {
        buf_printf(out, " %llu", (unsigned long long)r->content_length);
    }
    buf_printf(out, "%s%s%s%s%s%s", r->rewrites_content_length ? " rewrites" : "",
               r->authority_from_target ? " authority" : "", r->expects_continue ? " continue" : "",
               r->has_unknown_expectation ? " unknown-expectation" : "", r->accepts_trailers ? " te" : "",
               r->declares_trailer ? " trailer" : "");
    if (r->upgrade || r->upgrade_protocol.len > 0) {
        buf_printf(out, "%s=%.*s", r->upgrade ? " upgrade" : " no", SLICE_FMT(r->upgrade_protocol));
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
