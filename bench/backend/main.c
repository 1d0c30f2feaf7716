/* backend: an HTTP/1.1 server that behaves as it is told. The task image of the demo and of the tests (alone in a
 * container, as PID 1) and the upstream of the benchmarks.
 *
 * Options, each with an environment variable: see settings.c. Query parameters of any path:
 *   delay_ms=X, delay_us=X      serve for so long instead of --delay-ms; fractions are good
 *   delay_exp_ms=X              serve for a random time, exponential with mean X
 *   delay_bimodal=A,B,P         serve for A ms, or for B ms with probability P
 *   status=N        answer 200..599                             fail=P       answer 500 with probability P
 *   size=N          body of N bytes, byte i is 'a' + i % 26     chunked=1    chunked body
 *   slow_body_ms=N  pause between two pieces of the body        pieces=N     of which a slow body has N (10)
 *   close=1         close the connection afterwards
 * Delays run from when the request is read, by absolute microseconds; random ones are stratified (delay.h).
 *
 * Paths: /echo answers with the request as JSON (bodyAdler32 is zlib's); three know neither default delay nor
 * --concurrency: /health, /set-health?status=N, which changes its answer, and /stall?ms=N, which lets nothing at all be
 * answered for N ms, itself included. All others are answered with a line of 66 bytes, host name first.
 *
 * Each thread owns a listener (SO_REUSEPORT), an epoll instance, and its connections. --concurrency needs one queue, so
 * it implies one thread. A request holds its place from the start of its service until its response is written. */
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>

#include "bench/backend/server.h"
#include "bench/backend/settings.h"
#include "bench/tcp.h"

int main(int argc, char **argv)
{
    static struct server servers[SETTINGS_THREADS_MAX];
    sigset_t signals;
    int signal_number;
    settings_read(argc, argv);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL); /* PID 1 has no default action: taken with sigwait, here and below */
    struct timespec startup = { .tv_sec = settings.startup_delay_ms / 1000,
                                .tv_nsec = settings.startup_delay_ms % 1000 * 1000000 };
    if (sigtimedwait(&signals, NULL, &startup) > 0)
        return 0;
    gethostname(server_hostname, sizeof(server_hostname) - 1);
    tcp_raise_file_limit();
    server_stop_fd = eventfd(0, EFD_CLOEXEC);
    for (int64_t i = 0; i < settings.threads; i++)
        server_start(&servers[i], (unsigned)i);
    sigwait(&signals, &signal_number);
    if (!settings.graceful)
        return 0;
    eventfd_write(server_stop_fd, 1);
    for (int64_t i = 0; i < settings.threads; i++)
        server_join(&servers[i]);
    return 0;
}
