/* refusal: what the controller answered to an order, as an HTTP answer. Pure but for the reply; control thread. */
#ifndef ADMIN_REFUSAL_H
#define ADMIN_REFUSAL_H

#include "admin/reply.h"
#include "controller/controller.h"

/* result: anything but CONTROLLER_OK. field: what the error is about, or null. */
void admin_reply_refused(struct admin_reply *reply, enum controller_result result, const char *field,
                         const struct error *error);

#endif
