/* shim: makes calls of libc fail, or do less than they were asked to, in the program that it is preloaded into
 * (LD_PRELOAD). What fails is said by a page of shared memory that the test writes to while the program runs
 * (FAULTS_PAGE names the file; the layout is below) and, for use by hand, by FAULTS:
 *
 *     FAULTS=recv:max_bytes=1,send:every=3:error=4 LD_PRELOAD=.../shim.so portico proxy --snapshot FILE
 *
 *   at=N         the N-th call from when the row was armed fails, and those after it while times=T says so (default 1)
 *   every=K      one call in K fails, at places that follow from the seed (seed=S) and the number of the call
 *   error=E, or=F  errno of the failure; with both, now one and now the other
 *   max_bytes=B  reads and writes move at most B bytes
 *
 * A reading or writing call that fails with ECONNRESET, EPIPE or ETIMEDOUT also ends the connection, as those mean that
 * it has ended; close() closes also when it says that it failed, as the kernel's does. All allocating functions count in
 * one row, `alloc`. Any thread; makes no system call of its own once the program has started, but for that shutdown()
 * and fstat(), so that a seccomp filter of the program does not matter.
 * Not for programs with sanitizers: those bring an allocator of their own. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define TRANSFER_LIST(X) X(recv) X(send) X(readv) X(writev) X(recvmsg) X(sendmsg)
#define SOCKET_LIST(X) X(accept4) X(socket) X(connect) X(setsockopt) X(getsockopt) X(shutdown) X(close)
#define FUNCTION_LIST(X) TRANSFER_LIST(X) SOCKET_LIST(X) X(alloc) X(epoll_wait) X(epoll_ctl)

#define X(name) ROW_##name,
enum row_index { FUNCTION_LIST(X) ROW_COUNT };
#undef X

/* 128 bytes; tests/system/faults.py has the same layout. */
struct row {
    char name[32];
    uint64_t is_armed;
    uint64_t calls, hits; /* while armed */
    uint64_t at, times, every, max_bytes, seed;
    uint64_t error, other_error;
    uint64_t unused[2];
};

struct page {
    uint64_t row_count;
    uint64_t unused[15];
    struct row rows[ROW_COUNT];
};

static struct page own_page; /* before the constructor has run, and without FAULTS_PAGE */
static struct page *page = &own_page;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* ---- what the page says */

static void set_option(struct row *row, const char *key, uint64_t value)
{
    static const struct {
        const char *key;
        size_t offset;
    } options[] = {
        { "at", offsetof(struct row, at) },          { "times", offsetof(struct row, times) },
        { "every", offsetof(struct row, every) },    { "max_bytes", offsetof(struct row, max_bytes) },
        { "seed", offsetof(struct row, seed) },      { "error", offsetof(struct row, error) },
        { "or", offsetof(struct row, other_error) },
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(options[i].key, key) == 0)
            memcpy((char *)row + options[i].offset, &value, sizeof value);
    }
    row->is_armed = 1;
}

static struct row *find_row(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(page->rows[i].name, name) == 0)
            return &page->rows[i];
    }
    return NULL;
}

/* name:key=value:key=value,name:... ; what is not understood is left out. */
static void read_words(char *words)
{
    char *rest = NULL, *rest_of_word = NULL;
    for (char *word = strtok_r(words, ",", &rest); word; word = strtok_r(NULL, ",", &rest)) {
        char *name = strtok_r(word, ":", &rest_of_word);
        struct row *row = name ? find_row(name) : NULL;
        for (char *option; row && (option = strtok_r(NULL, ":", &rest_of_word));) {
            char *value = strchr(option, '=');
            if (value)
                *value++ = '\0';
            if (value)
                set_option(row, option, strtoull(value, NULL, 10));
        }
    }
}

static void map_page(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *mapped = fd < 0 || ftruncate(fd, sizeof *page) != 0
                       ? MAP_FAILED
                       : mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED)
        abort();
    close(fd);
    page = mapped;
}

__attribute__((constructor)) static void shim_start(void)
{
#define X(name) #name,
    static const char *const names[ROW_COUNT] = { FUNCTION_LIST(X) };
#undef X
    char words[1024] = "";
    const char *path = getenv("FAULTS_PAGE"), *given = getenv("FAULTS");
    if (path)
        map_page(path);
    page->row_count = ROW_COUNT;
    for (size_t i = 0; i < ROW_COUNT; i++)
        strcpy(page->rows[i].name, names[i]);
    if (given && strlen(given) < sizeof words)
        read_words(strcpy(words, given));
}

/* splitmix64 (Steele, Lea, Flood 2014) */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

/* True, with errno set: this call fails. */
static bool strikes(enum row_index index)
{
    struct row *row = &page->rows[index];
    if (!__atomic_load_n(&row->is_armed, __ATOMIC_ACQUIRE))
        return false;
    uint64_t number = __atomic_add_fetch(&row->calls, 1, __ATOMIC_RELAXED);
    uint64_t random = mix(row->seed + number);
    uint64_t times = row->times ? row->times : 1;
    bool fails = (row->at && number >= row->at && number - row->at < times) || (row->every && random % row->every == 0);
    if (!fails)
        return false;
    __atomic_add_fetch(&row->hits, 1, __ATOMIC_RELAXED);
    errno = (int)(row->other_error && (random >> 32) % 2 ? row->other_error : row->error);
    return true;
}

/* The same for a call on a connection: some errors say that it is no more. */
static bool strikes_connection(enum row_index index, int fd)
{
    if (!strikes(index))
        return false;
    int cause = errno;
    if (cause == ECONNRESET || cause == EPIPE || cause == ETIMEDOUT)
        syscall(SYS_shutdown, fd, SHUT_RDWR);
    errno = cause;
    return true;
}

static size_t shorten(enum row_index index, size_t len)
{
    const struct row *row = &page->rows[index];
    bool is_limited = __atomic_load_n(&row->is_armed, __ATOMIC_ACQUIRE) && row->max_bytes && len > row->max_bytes;
    return is_limited ? row->max_bytes : len;
}

#define NEXT(function)                 \
    static __typeof__(function) *next; \
    if (!next)                         \
    next = (__typeof__(function) *)dlsym(RTLD_NEXT, #function)

/* ---- memory */

static bool memory_strikes(void)
{
    int before = errno;
    if (!strikes(ROW_alloc)) {
        errno = before;
        return false;
    }
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return memory_strikes() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return memory_strikes() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return memory_strikes() ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (memory_strikes() || __builtin_mul_overflow(count, size, &bytes))
        return NULL;
    return __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memory_strikes() ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *got = memory_strikes() ? NULL : __libc_memalign(alignment, size);
    if (!got)
        return ENOMEM;
    *out = got;
    return 0;
}

/* ---- reading and writing */

ssize_t recv(int fd, void *bytes, size_t len, int flags)
{
    NEXT(recv);
    return strikes_connection(ROW_recv, fd) ? -1 : next(fd, bytes, shorten(ROW_recv, len), flags);
}

/* What -D_FORTIFY_SOURCE makes of a recv whose room is known. */
ssize_t __recv_chk(int fd, void *bytes, size_t len, size_t room, int flags);
ssize_t __recv_chk(int fd, void *bytes, size_t len, size_t room, int flags)
{
    if (len > room)
        abort();
    return recv(fd, bytes, len, flags);
}

ssize_t send(int fd, const void *bytes, size_t len, int flags)
{
    NEXT(send);
    return strikes_connection(ROW_send, fd) ? -1 : next(fd, bytes, shorten(ROW_send, len), flags);
}

/* Of a list of pieces, the first that is not empty, shortened. */
static const struct iovec *shorten_pieces(enum row_index index, const struct iovec *pieces, size_t *count,
                                          struct iovec *only)
{
    size_t first = 0;
    if (!page->rows[index].is_armed || !page->rows[index].max_bytes)
        return pieces;
    while (first + 1 < *count && pieces[first].iov_len == 0)
        first++;
    if (*count == 0)
        return pieces;
    *only = (struct iovec){ pieces[first].iov_base, shorten(index, pieces[first].iov_len) };
    *count = 1;
    return only;
}

ssize_t readv(int fd, const struct iovec *pieces, int piece_count)
{
    NEXT(readv);
    struct iovec only;
    size_t count = (size_t)piece_count;
    pieces = shorten_pieces(ROW_readv, pieces, &count, &only);
    return strikes_connection(ROW_readv, fd) ? -1 : next(fd, pieces, (int)count);
}

ssize_t writev(int fd, const struct iovec *pieces, int piece_count)
{
    NEXT(writev);
    struct iovec only;
    size_t count = (size_t)piece_count;
    pieces = shorten_pieces(ROW_writev, pieces, &count, &only);
    return strikes_connection(ROW_writev, fd) ? -1 : next(fd, pieces, (int)count);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg);
    struct iovec only, *given = message->msg_iov;
    size_t given_count = message->msg_iovlen;
    if (strikes_connection(ROW_recvmsg, fd))
        return -1;
    message->msg_iov = (struct iovec *)shorten_pieces(ROW_recvmsg, given, &message->msg_iovlen, &only);
    ssize_t got = next(fd, message, flags);
    message->msg_iov = given;
    message->msg_iovlen = given_count;
    return got;
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    struct iovec only;
    struct msghdr less = *message;
    less.msg_iov = (struct iovec *)shorten_pieces(ROW_sendmsg, message->msg_iov, &less.msg_iovlen, &only);
    return strikes_connection(ROW_sendmsg, fd) ? -1 : next(fd, &less, flags);
}

/* ---- the rest */

int accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
    NEXT(accept4);
    return strikes(ROW_accept4) ? -1 : next(fd, peer, len, flags);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout_ms)
{
    NEXT(epoll_wait);
    return strikes(ROW_epoll_wait) ? -1 : next(fd, events, max, timeout_ms);
}

int epoll_ctl(int fd, int operation, int of, struct epoll_event *event)
{
    NEXT(epoll_ctl);
    bool can_fail = operation == EPOLL_CTL_ADD; /* only that one needs memory, and counts against max_user_watches */
    return can_fail && strikes(ROW_epoll_ctl) ? -1 : next(fd, operation, of, event);
}

int socket(int domain, int type, int protocol)
{
    NEXT(socket);
    return strikes(ROW_socket) ? -1 : next(domain, type, protocol);
}

int connect(int fd, const struct sockaddr *peer, socklen_t len)
{
    NEXT(connect);
    return strikes(ROW_connect) ? -1 : next(fd, peer, len);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    NEXT(setsockopt);
    return strikes(ROW_setsockopt) ? -1 : next(fd, level, name, value, len);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
    NEXT(getsockopt);
    return strikes(ROW_getsockopt) ? -1 : next(fd, level, name, value, len);
}

int shutdown(int fd, int how)
{
    NEXT(shutdown);
    return strikes(ROW_shutdown) ? -1 : next(fd, how);
}

int close(int fd)
{
    NEXT(close);
    bool fails = strikes(ROW_close);
    int cause = errno;
    int result = next(fd);
    if (!fails)
        return result;
    errno = cause;
    return -1;
}
