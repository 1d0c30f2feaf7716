/* free_port: ports for tests that run at the same time as others. */
#ifndef TESTS_UNIT_DAEMON_FREE_PORT_H
#define TESTS_UNIT_DAEMON_FREE_PORT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

/* Below the ports that the kernel gives to others as soon as they are free, and above those of the system tests, whose first three
 * runners have 12000 to 23999 (tests/system/ports.py): they run at the same time. */
#define PORT_FIRST 24000
#define PORT_COUNT 8000

/* One that was free on all addresses a moment ago, another one each time. */
static inline unsigned find_free_port(void)
{
    static unsigned taken;
    for (unsigned i = 0; i < PORT_COUNT; i++) {
        unsigned port = PORT_FIRST + ((unsigned)getpid() * 7 + taken++) % PORT_COUNT;
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        bool is_free = bind(fd, (struct sockaddr *)&address, sizeof address) == 0;
        close(fd);
        if (is_free)
            return port;
    }
    fail_msg("no free port");
    return 0;
}

#endif
