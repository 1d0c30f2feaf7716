/* shedding: which idle connection is given up when there is no room for another one. Those that have asked nothing yet go
 * before those between two requests, the longest idle first; but first of all those of a client that has a crowd of
 * them, or one host could keep all others out. What has just come or just been answered is left alone, since a request
 * may be on its way. One worker. */
#ifndef PROXY_CLIENT_SHEDDING_H
#define PROXY_CLIENT_SHEDDING_H

#include <stdbool.h>

struct worker;
struct listener;
struct client_entry;

enum shed_outcome {
    SHED_NONE = 0, /* nobody is idle */
    SHED_SOON,     /* somebody is, but not for long enough */
    SHED_DONE,     /* there is room */
    SHED_OUTCOME_COUNT
};

/* A place for one more client connection. of: gives up one that came there; null: anywhere. */
enum shed_outcome shedding_make_place(struct worker *w, const struct listener *of);
/* The same, among those of one client. */
bool shedding_make_place_of_client(struct worker *w, struct client_entry *client);

/* No descriptor is free: several connections, of endpoints and of clients. False: there was none. */
bool shedding_free_descriptors(struct worker *w);
/* One, for a request that is there: more is given up for it than to accept one more client. */
bool shedding_free_descriptor_for_request(struct worker *w);

#endif
