#include "admin/refusal.h"

struct refusal {
    int status;
    const char *code, *before; /* before the controller's words */
};

void admin_reply_refused(struct admin_reply *reply, enum controller_result result, const char *field,
                         const struct error *error)
{
    static const struct refusal refusals[] = {
        [CONTROLLER_OK] = { 500, "internal", "a success was taken for a refusal: " },
        [CONTROLLER_NOT_FOUND] = { 404, "not_found", "" },
        [CONTROLLER_INVALID] = { 400, "invalid_request", "" },
        [CONTROLLER_CONFLICT] = { 409, "conflict", "" },
        [CONTROLLER_NOT_DURABLE] = { 503, "not_durable", "nothing was changed: " },
    };
    const struct refusal *r = &refusals[result];
    admin_reply_error(reply, r->status, r->code, field, "%s%s", r->before,
                      *error->text ? error->text : "no reason given");
}
