/* check: a condition that only a bug of ours can break. Always on; prints where and aborts, so that the
 * supervisor restarts the process from a known state. Never use it on input. Any thread. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

__attribute__((noreturn)) void check_failed(const char *condition, const char *file, int line);

#define check(condition) ((condition) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

#endif
