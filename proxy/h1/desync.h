/* h1/desync: how likely it is that two recipients read a request differently, and why (RFC 9112 11.2). Any thread; pure.
 *
 * COMPLIANT: as the RFCs have it.
 * ACCEPTABLE: deviates or is odd, but every recipient reads the framing alike, and what is sent on is one well-formed
 *   request.
 * AMBIGUOUS: recipients are known to read it differently; it can be sent on, rewritten to the one reading made here, on
 *   connections that carry nothing behind it.
 * SEVERE: made to be read differently, or malformed. A parsed request of this class is for the caller to refuse, or, where
 *   it only observes, to send on in the reading made here. What cannot be read at all never becomes a request.
 * The classes are those of AWS' load balancers; where a reason differs from theirs, the list says why. */
#ifndef PROXY_H1_DESYNC_H
#define PROXY_H1_DESYNC_H

enum h1_desync { H1_COMPLIANT = 0, H1_ACCEPTABLE, H1_AMBIGUOUS, H1_SEVERE };

/* X(name, class, text for logs and metrics), the gravest first: of several reasons of a request the first one counts.
 *
 * MALFORMED: never of a parsed request; for the caller to count what the parser refuses.
 * CONTENT_LENGTH_REPEATED: equal values, in lines or in a list. CONTENT_LENGTH_ZEROS: "007", which some read as octal.
 * LENGTH_MISSING_1_0: POST, PUT or PATCH on HTTP/1.0 without a length, on a connection that is to go on: read here as no
 *   body, by servers of RFC 1945's time as one until the end of the connection.
 * BODY_UNEXPECTED: with a method whose content has no meaning (RFC 9110 9.3.1); AWS says ambiguous, but both the framing
 *   and what is sent on are exact.
 * UPGRADE_WITH_BODY: the protocol is not switched, the body is sent on.
 * VERSION_HIGHER: HTTP/1.2 to 1.9, which nobody has; processed as 1.1 (RFC 9110 2.5).
 * TARGET_UNENCODED: a character in the target that URIs have in encoded form only, or a '%' in its path that encodes nothing,
 *   as browsers and programs send them. What leaves us is encoded, but for ASCII in queries.
 * UNDERSCORE_ALIAS: of a name whose fields this proxy treats in its own way; CGI-like backends take the two for one. */
#define H1_DESYNC_REASON_LIST(X)                                                               \
    X(NONE, H1_COMPLIANT, "compliant")                                                         \
    X(MALFORMED, H1_SEVERE, "malformed")                                                       \
    X(CONTENT_LENGTH_AND_TRANSFER_ENCODING, H1_SEVERE, "content-length-and-transfer-encoding") \
    X(CONTENT_LENGTH_REPEATED, H1_AMBIGUOUS, "content-length-repeated")                        \
    X(CONTENT_LENGTH_ZEROS, H1_AMBIGUOUS, "content-length-zeros")                              \
    X(BARE_LF, H1_AMBIGUOUS, "bare-lf")                                                        \
    X(LENGTH_MISSING_1_0, H1_AMBIGUOUS, "length-missing-1-0")                                  \
    X(BODY_UNEXPECTED, H1_ACCEPTABLE, "body-unexpected")                                       \
    X(UPGRADE_WITH_BODY, H1_ACCEPTABLE, "upgrade-with-body")                                   \
    X(PROTECTED_FIELD_NOMINATED, H1_ACCEPTABLE, "protected-field-nominated")                   \
    X(UNDERSCORE_ALIAS, H1_ACCEPTABLE, "underscore-alias")                                     \
    X(AUTHORITY_DIFFERS, H1_ACCEPTABLE, "authority-differs")                                   \
    X(VERSION_HIGHER, H1_ACCEPTABLE, "version-higher")                                         \
    X(TARGET_UNENCODED, H1_ACCEPTABLE, "target-unencoded")                                     \
    X(PATH_NORMALISED, H1_ACCEPTABLE, "path-normalised")                                       \
    X(LEADING_EMPTY_LINE, H1_ACCEPTABLE, "leading-empty-line")                                 \
    X(HOST_MISSING_1_0, H1_ACCEPTABLE, "host-missing-1-0")                                     \
    X(CONNECTION_EMPTY_ELEMENT, H1_ACCEPTABLE, "connection-empty-element")

enum h1_desync_reason {
#define H1_DESYNC_VALUE(name, class, text) H1_DESYNC_##name,
    H1_DESYNC_REASON_LIST(H1_DESYNC_VALUE)
#undef H1_DESYNC_VALUE
        H1_DESYNC_REASON_COUNT
};

const char *h1_desync_to_str(enum h1_desync desync);
const char *h1_desync_reason_to_str(enum h1_desync_reason reason);
enum h1_desync h1_desync_class_of(enum h1_desync_reason reason);

#endif
