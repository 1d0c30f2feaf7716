/* conversation_wire: the socket pairs of a rig, and the system calls that the worker makes on its ends of them. One
 * thread. */
#ifndef TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_WIRE_H
#define TESTS_UNIT_PROXY_EXCHANGE_CONVERSATION_WIRE_H

struct rig;
struct rig_peer;

void wire_use(struct rig *rig); /* whose worker makes the calls that follow */
void wire_open(struct rig *rig, struct rig_peer *peer);

#endif
