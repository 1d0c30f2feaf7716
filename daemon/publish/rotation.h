/* rotation: which endpoints the data plane may still be sending to. Follows every frame that was sent and every one
 * that was acknowledged. Pure; control thread.
 *
 * An endpoint is out when neither the last acknowledged frame's content has it nor that of any frame sent after it:
 * until the acknowledgement, some worker may still use the older one. */
#ifndef DAEMON_PUBLISH_ROTATION_H
#define DAEMON_PUBLISH_ROTATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rotation;

struct rotation *rotation_new(void);
void rotation_free(struct rotation *r);

/* In the order of sending: what the frame `serial` changed. An endpoint may be entered by two services. */
void rotation_enter(struct rotation *r, const char *id);
void rotation_leave(struct rotation *r, const char *id, uint64_t serial);

void rotation_acknowledge(struct rotation *r, uint64_t serial);
void rotation_clear(struct rotation *r); /* the data plane has started again: it sends to nobody */

bool rotation_is_out(const struct rotation *r, const char *id);
size_t rotation_count(const struct rotation *r); /* endpoints that are not out */

#endif
