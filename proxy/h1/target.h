/* h1/target: what a request asks for and of whom (RFC 9112 3.2, RFC 3986). Only for this folder, but for what the table of
 * routes needs. Any thread; pure.
 *
 * The path that is matched is the path that is sent on: one string, made once. Never decoded twice. Two spellings of a path
 * have one normal form, but for the case of encoded slashes. */
#ifndef PROXY_H1_TARGET_H
#define PROXY_H1_TARGET_H

#include "proxy/h1/head.h"

/* request->head.method and ->target are set, the target is of H1_CHAR_TARGET and not longer than HTTP_TARGET_MAX. Sets path,
 * query, forward_target, target_rewritten, has_encoded_slash; authority, host and authority_from_target for the absolute
 * form. */
enum h1_error h1_target_read(struct h1_request *request, bool refuses_encoded_slashes);

/* What one byte of a path that is no '%' and came unencoded is in the normal form: itself, or its encoding. Returns the
 * length. */
size_t h1_path_put(char byte, char out[3]);

/* "%2F" or "%5C", in any case; at < end. */
bool h1_is_encoded_slash(const char *at, const char *end);

/* "name", "name:port", "1.2.3.4:port", "[::1]:port"; no userinfo. False: not valid, or empty. */
bool h1_authority_read(struct slice authority, struct slice *host);

#endif
