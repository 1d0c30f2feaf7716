/* sim_sockets: what is inside of sim_net: for sim_net.c and sim_calls.c, where the system calls are. */
#ifndef TESTS_SIM_HOUSE_SIM_SOCKETS_H
#define TESTS_SIM_HOUSE_SIM_SOCKETS_H

#include "tests/sim/house/sim_net.h"

#define NET_SOCKETS_MAX 1024

enum socket_kind { SOCKET_FREE = 0, SOCKET_LISTENING, SOCKET_STREAM, SOCKET_COUNTER };

struct bytes {
    char *data; /* owned */
    size_t begin, len, size;
};

struct socket {
    enum socket_kind kind;
    enum net_owner owner;
    struct socket *peer; /* null: there is none any more */
    struct bytes in;     /* has come, and was not received yet */
    size_t max;          /* of it */
    bool has_end;        /* behind `in` */
    bool has_shut;       /* it sends no more */
    bool is_reset;
    bool resets_on_close;
    bool is_unanswered; /* it connects to somebody who does not answer */
    bool is_dead;       /* its process is: nothing that happens to it is seen by anybody */
    int connect_error;
    uint32_t address; /* of a client, or of who is connected to */
    size_t port;      /* of a listening one */
    uint64_t counter; /* of an eventfd */
};

struct socket *net_socket_of(int fd); /* null: a real descriptor */
int net_fd_of(const struct socket *s);
struct socket *net_socket_new(enum socket_kind kind);
void net_socket_close(struct socket *s, bool resets);
void net_join(struct socket *a, struct socket *b);
struct socket *net_accept(size_t port); /* null: nobody waits */
bool net_has_waiting(size_t port);
enum net_answer net_tell_dialled(uint32_t address, int fd);
ssize_t net_put(struct socket *s, const void *bytes, size_t len); /* as send(2) */
ssize_t net_get(struct socket *s, void *bytes, size_t len);       /* as recv(2) */

#endif
