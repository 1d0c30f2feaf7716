/* house_script: a scenario from a file, step by step, in the calm: nothing happens but what it says. One command a line; what
 * stands behind `#` is for people.
 *
 *   load on|off                      clients ask for whatever they like; off at first
 *   ask SERVICE ANSWER BYTES         one request: length chunked none interim last until-close switch breaks resets hangs
 *   post SERVICE ANSWER BYTES        the same with a body, and not to be repeated
 *   reload SERVICE desired|image N   the configuration is changed; also `reload SERVICE gone|there`, `reload retries N`
 *   scale SERVICE N                  by the admin API
 *   drain SERVICE                    the same, of one task
 *   kill control|proxy               control is started again after 500 ms, the proxy at once
 *   die SERVICE                      one of its tasks ends by itself
 *   sick SERVICE, well               the health check of one of its tasks fails; none fails any more
 *   run MS                           time passes
 *   rest                             until nothing is under way; then what has to be true then is checked
 *   expect answered|refused|cut|tunnels N  requests so far; tunnels are answered when they have ended in order
 *   tunnels stay|end                 they are left open, or end when all has gone through; at first they end
 *   expect SERVICE N                 tasks that run
 *
 * SERVICE: s0, s1 (two tasks each at first) or s2 (scaled by its traffic, from one). The rules of house_rules.h hold throughout. */
#ifndef TESTS_SIM_HOUSE_HOUSE_SCRIPT_H
#define TESTS_SIM_HOUSE_HOUSE_SCRIPT_H

/* Null, or what is wrong: of the file ("FILE:LINE: ..."), or what was violated. Valid until the next one. */
const char *house_script_run(const char *path);

#endif
