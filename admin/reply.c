#include "admin/reply.h"

#include "admin/json_field.h"
#include "base/check.h"
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>

static int append_to_body(const char *bytes, size_t len, void *body)
{
    return buf_append(body, bytes, len) ? 0 : -1;
}

void admin_reply_init(struct admin_reply *reply)
{
    *reply = (struct admin_reply){ .status = 500, .content_type = "application/json" };
    buf_init(&reply->body, REPLY_BODY_BYTES_MAX);
}

void admin_reply_fini(struct admin_reply *reply)
{
    buf_fini(&reply->body);
}

void admin_reply_json(struct admin_reply *reply, int status, json_t *document)
{
    check(document != NULL);
    reply->status = status;
    reply->content_type = "application/json";
    buf_clear(&reply->body);
    if (json_dump_callback(document, append_to_body, &reply->body, JSON_TEXT_FLAGS) != 0) {
        buf_clear(&reply->body);
        admin_reply_error(reply, 500, "too_large", NULL, "the answer is larger than %u bytes", REPLY_BODY_BYTES_MAX);
    } else {
        buf_append_text(&reply->body, "\n");
    }
    json_decref(document);
}

void admin_reply_not_modified(struct admin_reply *reply)
{
    reply->status = 304;
    buf_clear(&reply->body);
}

void admin_reply_wait(struct admin_reply *reply)
{
    check(reply->on_finish != NULL && !reply->waits);
    reply->waits = true;
}

void admin_reply_finish(struct admin_reply *reply)
{
    check(reply->waits);
    reply->waits = false;
    reply->on_finish(reply);
}

void admin_reply_error(struct admin_reply *reply, int status, const char *code, const char *field, const char *format,
                       ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);

    json_t *error = json_object();
    json_object_set_new(error, "code", json_field_text(code));
    json_object_set_new(error, "message", json_field_text(message));
    if (field)
        json_object_set_new(error, "field", json_field_text(field));
    json_t *document = json_object();
    json_object_set_new(document, "error", error);
    admin_reply_json(reply, status, document);
}
