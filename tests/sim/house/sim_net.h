/* sim_net: the kernel's part of a network, in memory. Streams with a bounded number of bytes on their way, listening
 * sockets with a queue that outlives who listens, eventfds. The linker puts it in the place of the system calls
 * (ld --wrap); descriptors below NET_FD_FIRST are real ones. Each descriptor belongs to a process, so that a process can be
 * killed: then its peers see what a kernel would show them, and what its objects do while they are taken down reaches
 * nobody. */
#ifndef TESTS_SIM_HOUSE_SIM_NET_H
#define TESTS_SIM_HOUSE_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define NET_FD_FIRST 4096
#define NET_PORTS_MAX 8
#define NET_STREAM_BYTES 16384 /* on their way in each direction of a stream, at most */
#define NET_LINK_BYTES (1u << 22)

enum net_owner { NET_OUTSIDE = 0, NET_CONTROL, NET_PROXY, NET_OWNER_COUNT };

void net_reset(void);
/* Whose system calls follow. Returns whose they were. */
enum net_owner net_become(enum net_owner who);
void net_kill(enum net_owner owner);
size_t net_stream_count(enum net_owner owner); /* that it has open */
/* It has exited. How many descriptors it had left open; listening sockets, which nothing but an exit closes where no snapshot
 * ever came, do not count. */
size_t net_exit(enum net_owner owner);

bool net_is_readable(int fd);
bool net_is_writable(int fd);

int net_listen(size_t port); /* one more descriptor for this port's queue */
/* A pair for two processes of ours, which see no limit on it. */
void net_open_link(int fds[2], enum net_owner first, enum net_owner second);

/* ---- from outside ---- */

enum net_answer { NET_ACCEPTS = 0, NET_REFUSES, NET_IS_SILENT };
/* Somebody inside connects to this address: fd is the other end, the callee's when it accepts. */
typedef enum net_answer (*net_dialled_cb)(uint32_t address, int fd);
void net_set_dialled(net_dialled_cb dialled);

int net_dial(size_t port, uint32_t address); /* as a client with this address; -1: the queue is full */
/* Bytes; NET_BLOCKED; NET_BROKEN; receive: 0 for the end. */
#define NET_BLOCKED (-1)
#define NET_BROKEN (-2)
ssize_t net_send(int fd, const void *bytes, size_t len);
ssize_t net_receive(int fd, void *bytes, size_t len);
bool net_has_peer(int fd); /* the other side has not closed */
void net_shut(int fd);     /* says its last, and still receives */
void net_close(int fd, bool resets);

#endif
