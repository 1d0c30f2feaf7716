/* h1/target: what a request asks for and of whom (RFC 9112 3.2, RFC 3986). Only for this folder. Any thread; pure.
 *
 * The path that is matched is the path that is sent on: one string, made once. Never decoded twice. */
#ifndef PROXY_H1_TARGET_H
#define PROXY_H1_TARGET_H

#include "proxy/h1/head.h"

/* request->method and ->target are set, the target is visible ASCII and not longer than H1_TARGET_MAX. Sets path,
 * query, forward_target, target_rewritten; authority, host and authority_from_target for the absolute form. */
enum h1_error h1_target_read(struct h1_request *request);

/* "name", "name:port", "1.2.3.4:port", "[::1]:port"; no userinfo. False: not valid, or empty. */
bool h1_authority_read(struct slice authority, struct slice *host);

#endif
