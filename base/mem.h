/* mem: allocation that cannot fail from the caller's view. Running out of memory outside the request path ends the
 * process (the supervisor restarts it, the proxy keeps its last snapshot). The request path uses proxy/io/buffer_pool.h,
 * which has a limit and can say no. Any thread. What is returned is the caller's, to free(). */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t size);                               /* zeroed; size > 0 */
void *mem_alloc_aligned(size_t alignment, size_t size);     /* zeroed; alignment a power of two */
void *mem_alloc_array(size_t count, size_t size);           /* zeroed; overflow is fatal; count 0 gives one element */
void *mem_grow_array(void *old, size_t count, size_t size); /* new tail is not zeroed */
char *mem_strdup(const char *text);
char *mem_strndup(const char *text, size_t len);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
