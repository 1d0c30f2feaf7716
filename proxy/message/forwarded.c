#include "proxy/message/forwarded.h"

/* RFC 7239 4 and 6: what is no token is quoted, IPv6 in brackets. `by` is left out: it would tell about the inside. */
struct slice forwarded_element(struct http_edit *edit, const struct http_head *head,
                               const struct forwarded_client *client)
{
    struct head_writer w = http_edit_begin_value(edit);
    bool is_v6 = memchr(client->peer.at, ':', client->peer.len) != NULL;
    if (is_v6)
        HEAD_PUT_LITERAL(&w, "for=\"[");
    else
        HEAD_PUT_LITERAL(&w, "for=");
    head_put_slice(&w, client->peer);
    if (is_v6)
        HEAD_PUT_LITERAL(&w, "]\"");
    if (head->authority.len) { /* has no character that would have to be escaped */
        HEAD_PUT_LITERAL(&w, ";host=\"");
        head_put_slice(&w, head->authority);
        HEAD_PUT_LITERAL(&w, "\"");
    }
    if (client->is_https)
        HEAD_PUT_LITERAL(&w, ";proto=https");
    else
        HEAD_PUT_LITERAL(&w, ";proto=http");
    return http_edit_end_value(edit, w);
}
