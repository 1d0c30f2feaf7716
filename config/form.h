/* form: the shapes of text that the configuration accepts. Each returns the text in its one canonical spelling (the
 * caller's, to free), or null when it has not that form. Pure. Any thread. */
#ifndef CONFIG_FORM_H
#define CONFIG_FORM_H

#include <stdbool.h>

#define FORM_HOST_BYTES_MAX 253   /* RFC 1035 2.3.4 */
#define FORM_HOSTS_BYTES_MAX 1023 /* all of a list */
#define FORM_PATH_BYTES_MAX 255
#define FORM_PATH_SEGMENTS_MAX 64
#define FORM_SECRET_BYTES_MIN 16
#define FORM_SECRET_BYTES_MAX 512
#define FORM_PASSWORD_BYTES_MAX 4096
#define FORM_TEXT_BYTES_MAX (32u << 10)
#define FORM_FILE_BYTES_MAX 1023
#define FORM_FIELD_VALUE_BYTES_MAX 1024

char *form_accept_text(const char *text);
char *form_accept_secret(const char *text);
char *form_accept_password(const char *text);      /* somebody else's: 1 to 4096 bytes without control characters */
char *form_accept_registry_name(const char *text); /* host or host:port, lower case; [IPv6]:port; "docker.io" */
char *form_accept_name(const char *text);          /* [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])? */
char *form_accept_cluster(const char *text);       /* [a-z0-9-]{1,32} */
char *form_accept_account(const char *text);       /* [A-Za-z0-9_][A-Za-z0-9_.-]{0,63} */
char *form_accept_image(const char *text);         /* characters of a Docker reference, up to 255 */
char *form_accept_file(const char *text);
char *form_accept_access_log(const char *text); /* "off", "stdout", or an absolute path */
char *form_accept_listen_address(const char *text);
char *form_accept_network(const char *text);         /* base/network.h */
char *form_accept_moment(const char *text);          /* "2026-11-28T06:00:00Z": RFC 3339, UTC, from 1970 on */
char *form_accept_docker_endpoint(const char *text); /* unix:///path or tcp://host:port */
char *form_accept_host_name(const char *text);       /* lower case */
char *form_accept_host_pattern(const char *text);    /* the same, "*.suffix", or "*" */
/* One or several of them with commas (and blanks) between: "a.example,b.example". */
char *form_accept_hosts(const char *text);
char *form_accept_path_prefix(const char *text); /* without the slash at the end */
char *form_accept_probe_path(const char *text);  /* what may stand in a request line, query included (RFC 9112 3.2.1) */
char *form_accept_status_ranges(const char *text); /* config/status_ranges.h */
char *form_accept_field_value(const char *text);

/* "/api/" + "*" as others spell a prefix -> "/api"; false when that is not what is wrong with it. */
bool form_suggest_path_prefix(const char *text, char out[FORM_PATH_BYTES_MAX + 1]);
/* Walks a text that form_accept_hosts() made: the next host and true, or false at the end. *at: where to go on; the text
 * at first. */
bool form_next_host(const char **at, char out[FORM_HOST_BYTES_MAX + 1]);

bool form_is_variable_name(const char *text); /* [A-Za-z_][A-Za-z0-9_.-]{0,127}: name of an environment variable */
/* A token (RFC 9110 5.1) of at most 64 bytes that is not one of the fields that say how the request itself is read. */
bool form_is_probe_field_name(const char *text);

#endif
