#include "config/task_definition/rules.h"

#include <inttypes.h>
#include <string.h>

/* The ports of a mapping; first 0: it names none that could be read. */
struct port_span {
    uint16_t first, last;
};

static struct port_span span_of(const struct port_mapping *mapping)
{
    struct port_span span = { 0, 0 };
    if (mapping->container_port_range)
        port_range_read(mapping->container_port_range, &span.first, &span.last);
    else if (mapping->container_port != DEFINITION_UNSET)
        span.first = span.last = (uint16_t)mapping->container_port;
    return span;
}

static bool spans_overlap(struct port_span a, struct port_span b)
{
    return a.first > 0 && b.first > 0 && a.first <= b.last && b.first <= a.last;
}

static void check_mapping(const struct definition_reader *r, const struct port_mapping *m, const struct place *place)
{
    enum network_mode mode = r->definition->network_mode;
    const char *mode_word = mode == NETWORK_MODE_HOST ? "host" : "awsvpc";
    bool has_port = m->container_port != DEFINITION_UNSET, is_range = m->container_port_range != NULL;
    if (has_port && is_range)
        place_refuse(r->problems, place, NULL, "only one of containerPort and containerPortRange may be specified");
    if (!has_port && !is_range && r->is_sound)
        place_refuse(r->problems, place, NULL, "one of containerPort and containerPortRange must be specified");
    if (is_range && mode == NETWORK_MODE_HOST)
        place_refuse(r->problems, place, "containerPortRange", "needs networkMode bridge or awsvpc");
    if (is_range && m->host_port != 0)
        place_refuse(r->problems, place, "hostPort", "must be left out with containerPortRange");
    if (has_port && (mode == NETWORK_MODE_HOST || mode == NETWORK_MODE_AWSVPC) && m->host_port != 0 &&
        m->host_port != m->container_port)
        place_refuse(r->problems, place, "hostPort",
                     "when networkMode is %s, host and container ports must match: write %" PRId64 ", or leave it out",
                     mode_word, m->container_port);
    if (m->app_protocol != APP_PROTOCOL_UNSET && m->protocol != TRANSPORT_TCP)
        place_refuse(r->problems, place, "appProtocol", "is only for protocol tcp");
}

/* Within one container a port stands once; where containers share a network, in all of them; a port of the host once, whose ever
 * it is. */
static void check_pair(const struct definition_reader *r, const struct port_mapping *m,
                       const struct port_mapping *other, bool is_same_container, const struct place *place)
{
    enum network_mode mode = r->definition->network_mode;
    bool is_shared = is_same_container || mode == NETWORK_MODE_HOST || mode == NETWORK_MODE_AWSVPC;
    if (m->name && other->name && strcmp(m->name, other->name) == 0)
        place_refuse(r->problems, place, "name", "'%s' is the name of another port of the task", m->name);
    if (m->protocol != other->protocol)
        return;
    if (is_shared && spans_overlap(span_of(m), span_of(other)))
        place_refuse(r->problems, place, m->container_port_range ? "containerPortRange" : "containerPort",
                     "a port can only be in one port mapping");
    else if (m->host_port != 0 && m->host_port == other->host_port)
        place_refuse(r->problems, place, "hostPort", "%" PRId64 " is taken by another port mapping of the task",
                     m->host_port);
}

/* Against all mappings before it. One problem of each kind is enough of one mapping, hence the stop at the first. */
static void check_against_earlier(const struct definition_reader *r, size_t container, size_t mapping,
                                  const struct place *place)
{
    const struct task_definition *d = r->definition;
    const struct port_mapping *m = &d->containers[container].port_mappings[mapping];
    size_t before = r->problems->count;
    for (size_t i = 0; i <= container; i++) {
        size_t count = i == container ? mapping : d->containers[i].port_mapping_count;
        for (size_t k = 0; k < count; k++) {
            check_pair(r, m, &d->containers[i].port_mappings[k], i == container, place);
            if (r->problems->count != before || r->problems->more_found)
                return;
        }
    }
}

void rules_check_ports(const struct definition_reader *reader)
{
    const struct task_definition *d = reader->definition;
    for (size_t i = 0; i < d->container_count; i++) {
        const struct container_definition *c = &d->containers[i];
        struct place container = place_at(reader->top, "containerDefinitions", i);
        if (d->network_mode == NETWORK_MODE_NONE && c->port_mapping_count > 0) {
            place_refuse(reader->problems, &container, "portMappings", "are not supported when networkMode is none");
            continue;
        }
        for (size_t k = 0; k < c->port_mapping_count; k++) {
            struct place place = place_at(&container, "portMappings", k);
            check_mapping(reader, &c->port_mappings[k], &place);
            check_against_earlier(reader, i, k, &place);
        }
    }
}
