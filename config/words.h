/* words: the values of the configuration that are one of a few words, each word once. Makes the enums that the data plane
 * takes them as, and the lists that are matched, suggested and documented (config/choices.h). A new one is a list and a line
 * in WORD_SETS, and its type in config/schema.h. */
#ifndef CONFIG_WORDS_H
#define CONFIG_WORDS_H

/* X(enumerator, word of the documents) */
#define DESYNC_MODE_WORDS(X)              \
    X(DESYNC_MODE_MONITOR, "monitor")     \
    X(DESYNC_MODE_DEFENSIVE, "defensive") \
    X(DESYNC_MODE_STRICTEST, "strictest")
#define ENCODED_SLASHES_WORDS(X) X(ENCODED_SLASHES_PASS, "pass") X(ENCODED_SLASHES_REFUSE, "refuse")
#define FORWARDED_FOR_WORDS(X)          \
    X(FORWARDED_FOR_APPEND, "append")   \
    X(FORWARDED_FOR_REPLACE, "replace") \
    X(FORWARDED_FOR_PRESERVE, "preserve")
#define RESPONSES_WORDS(X) X(RESPONSES_LENIENT, "lenient") X(RESPONSES_STRICT, "strict")
#define LOG_FORMAT_WORDS(X) X(LOG_FORMAT_JSON, "json") X(LOG_FORMAT_COMBINED, "combined")
#define PULL_POLICY_WORDS(X) X(PULL_MISSING, "missing") X(PULL_ALWAYS, "always") X(PULL_NEVER, "never")
#define PROXY_PROTOCOL_WORDS(X) X(PROXY_PROTOCOL_OFF, "off") X(PROXY_PROTOCOL_V1, "v1") X(PROXY_PROTOCOL_V2, "v2")

/* X(type in config/schema.h, enum, how a message calls one of them) */
#define WORD_SETS(X)                                                      \
    X(LOG_FORMAT, log_format, "a log format")                             \
    X(DESYNC_MODE, desync_mode, "a desync mode")                          \
    X(ENCODED_SLASHES, encoded_slashes, "a way with encoded slashes")     \
    X(RESPONSES, responses, "a way to read responses")                    \
    X(FORWARDED_FOR, forwarded_for, "a way to treat the fields")          \
    X(PROXY_PROTOCOL, proxy_protocol_version, "a PROXY protocol version") \
    X(PULL_POLICY, pull_policy, "a time to pull")

#define ENUMERATOR(value, word) value,
#define X(set, tag, noun) enum tag { set##_WORDS(ENUMERATOR) set##_COUNT };
WORD_SETS(X)
#undef X
#undef ENUMERATOR

#endif
