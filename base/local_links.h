/* local_links: the networks that this process is on: what its interfaces can reach without a router. Of a process in a
 * container those of the container, of one on the host those of the host, the bridges of a container engine among them.
 * One thread at a time. */
#ifndef BASE_LOCAL_LINKS_H
#define BASE_LOCAL_LINKS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/network.h"

#define LOCAL_LINKS_MAX 1024 /* networks; what is beyond counts as not reached */

/* Zeroed: none are known. */
struct local_links {
    struct network *networks; /* owned; sorted, each once; without loopback and link-local ones */
    size_t count;
};

/* Asks the kernel. False: it does not tell, and *out is as it was; else what *out held is freed. */
bool local_links_read(struct local_links *out);
void local_links_fini(struct local_links *links);

bool local_links_equal(const struct local_links *a, const struct local_links *b);

/* links: null or empty: false. ip: "10.0.0.1" or "fd00::1"; anything else: false. */
bool local_links_reach(const struct local_links *links, const char *ip);

#endif
