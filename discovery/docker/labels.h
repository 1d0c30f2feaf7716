/* labels: what a container's labels say, and what its inspect document makes of it as a task. Pure; any thread. Labels
 * are written by whoever builds the image: every value is checked, and a container that breaks a rule is left out with
 * a warning that names it. One that Portico created is never left out: it becomes a task with a problem.
 *
 *   a container of somebody else        a container that Portico created (controller/runtime)
 *     portico.enable=true   required      portico.managed-by=portico
 *     portico.service       see discovery/docker/service_name.h
 *                                         portico.cluster=<cluster>   others' clusters are left alone
 *     portico.port          port inside the container; may be left out when the image exposes exactly one
 *     portico.host          route, several with commas between; default: no route of its own
 *     portico.path          route's path prefix; default "/"
 *     portico.weight        1..1000       portico.revision=<what it was created from>   discovery/revision.h
 *                                         portico.proof=<that we did>   discovery/docker/ownership.h
 *                                         portico.image=<its name>      for people: it is created by the image's id
 *     portico.network       of its networks the one where it is reached, with or without compose's project; default:
 *                           discovery/docker/address.h
 *     portico.proxy-protocol  off, v1 or v2: the header that it wants in front of each connection
 *     portico.health-path, portico.health-interval, portico.health-timeout  discovery/docker/health_labels.h
 *
 * host, path, weight, network, proxy-protocol and health-* have no say in a container that Portico created: its image may carry
 * any. */
#ifndef DISCOVERY_DOCKER_LABELS_H
#define DISCOVERY_DOCKER_LABELS_H

#include "base/error.h"
#include "base/slice.h"
#include "discovery/docker/label_policy.h"
#include "discovery/docker/ownership.h"
#include "discovery/own_sockets.h"
#include "discovery/docker/service_name.h"
#include "discovery/task_registry.h"

#define DOCKER_LABEL_PREFIX "portico."
#define DOCKER_LABEL_ENABLE "portico.enable"
#define DOCKER_LABEL_SERVICE "portico.service"
#define DOCKER_LABEL_PORT "portico.port"
#define DOCKER_LABEL_HOST "portico.host"
#define DOCKER_LABEL_PATH "portico.path"
#define DOCKER_LABEL_WEIGHT "portico.weight"
#define DOCKER_LABEL_NETWORK "portico.network"
#define DOCKER_LABEL_PROXY_PROTOCOL "portico.proxy-protocol"
#define DOCKER_LABEL_MANAGED_BY "portico.managed-by"
#define DOCKER_LABEL_MANAGED_BY_US "portico" /* its value on our own containers */
#define DOCKER_LABEL_CLUSTER "portico.cluster"
#define DOCKER_LABEL_REVISION "portico.revision"
#define DOCKER_LABEL_PROOF "portico.proof"
#define DOCKER_LABEL_IMAGE "portico.image"
#define DOCKER_SERVICE_UNKNOWN "?" /* of a container of ours whose own label does not tell; no service can have it */

struct local_links; /* base/local_links.h */

/* What decides beside the container itself; all borrowed. */
struct docker_label_scope {
    const char *cluster;             /* ours */
    const char *network;             /* config docker.network, which is preferred; null: none */
    const struct local_links *links; /* the networks that we are on; null: not known */
    const char *remote_host; /* host of a tcp:// engine, where only published ports can be reached; null: this host */
    const struct ownership *ownership;     /* what proves that a container is ours; null: its labels are believed */
    const struct label_policy *policy;     /* which services it may join; null: any */
    const struct own_sockets *own_sockets; /* where it cannot be; null: anywhere */
    struct joinable_services joinable;
};

struct docker_container {
    struct task_spec spec;
    int stop_signal;           /* number; SIGTERM unless the container says otherwise */
    int64_t stop_timeout_ms;   /* from the stop signal to SIGKILL, unless whoever stops it says otherwise */
    bool restarts;             /* its restart policy brings it back when it has ended */
    char lender[TASK_ID_SIZE]; /* id or name of the container whose network it uses; empty: it has its own */
};

enum docker_verdict {
    DOCKER_VERDICT_TASK = 0, /* *out is filled; a warning may still say what was odd (an unknown portico.* label) */
    DOCKER_VERDICT_NOT_OURS, /* no label for us, portico.enable=false, or another cluster's */
    DOCKER_VERDICT_INVALID,  /* the warning says why; it names the container */
    /* The engine's answer makes no sense, so that what is known stays; the warning says why. When *out is managed, it is
     * known at least that the container is there: *out is an unusable task. */
    DOCKER_VERDICT_UNREADABLE,
    /* It runs on the network of another container (out->lender): to be read again with that one's document. */
    DOCKER_VERDICT_BORROWS,
    DOCKER_VERDICT_COUNT
};
const char *docker_verdict_to_str(enum docker_verdict verdict);

/* json: the answer of /containers/<id>/json. lender: the same of out->lender; empty: not asked for; "{}": it is gone.
 * warning is always set: "" when there is none. */
enum docker_verdict docker_container_parse(struct slice json, struct slice lender,
                                           const struct docker_label_scope *scope, struct docker_container *out,
                                           struct error *warning);

/* "SIGTERM", "TERM" or "15" -> 15; 0 when unknown. */
int docker_signal_parse(const char *text);

#endif
