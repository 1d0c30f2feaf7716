/* image_pulls: the pulls under way, one for each image however many services want it. When a pull has come to a good end, the
 * runtime is asked which image is there now. Control thread only.
 *
 *   PULLING -> LOOKING -> told        (a pull that failed is told at once) */
#ifndef CONTROLLER_IMAGE_PULLS_H
#define CONTROLLER_IMAGE_PULLS_H

#include <stdbool.h>
#include <stddef.h>

#include "controller/runtime/runtime.h"

#define IMAGE_PULLS_TELL_MS 5000 /* of its progress no more often, and each time 10 % further: ten lines at most */
#define IMAGE_PULLS_TELL_PERCENT 10

struct image_pulls;

/* result: RUNTIME_OK with the id, RUNTIME_PULL_FAILED with the cause, RUNTIME_UNREACHABLE: not tried, or cut off with the
 * engine. All valid during the callback. */
struct image_pull_end {
    enum runtime_result result;
    const char *id, *text;
};
struct image_pulls_listener {
    void (*on_news)(void *owner, const char *image, const char *text); /* begin, progress, a good end: for people */
    void (*on_end)(void *owner, const char *image, const struct image_pull_end *end);
    bool (*is_wanted)(void *owner, const char *image);
    void *owner;
};

struct image_pulls *image_pulls_new(struct runtime *runtime, const struct image_pulls_listener *listener);
void image_pulls_free(struct image_pulls *pulls); /* after the runtime has abandoned what is under way */

/* Begins one unless it is under way. May end inside the call. */
void image_pulls_want(struct image_pulls *pulls, const char *image);
/* Ends those that nobody wants any more. */
void image_pulls_drop_unwanted(struct image_pulls *pulls);
size_t image_pulls_count(const struct image_pulls *pulls);

/* "40 % of 12.3 MiB, 3 of 7 layers"; the percent of what the engine has told of so far. Pure. */
#define IMAGE_PULLS_TEXT_SIZE 160
int image_pulls_percent(const struct runtime_pull *progress);
void image_pulls_describe(const struct runtime_pull *progress, char out[IMAGE_PULLS_TEXT_SIZE]);

#endif
