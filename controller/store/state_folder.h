/* state_folder: the directory that holds the durable state: made private and durable, locked against a second
 * controller, and watched: a file that was removed or replaced while it is open holds nothing that the next start would
 * find. Control thread only; calls may wait for the disk. */
#ifndef CONTROLLER_STORE_STATE_FOLDER_H
#define CONTROLLER_STORE_STATE_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define STATE_FOLDER_LOCK_FILE "lock"
#define STATE_FOLDER_FILES_MAX 4

/* A file that the next start will look for by its name. */
struct state_file {
    char *path; /* owned */
    dev_t device;
    ino_t inode;
};

/* Embedded in its owner; zeroed before state_folder_open(). */
struct state_folder {
    char *path;  /* owned */
    int lock_fd; /* holds the flock; the kernel drops it with the process; -1: none */
    struct state_file files[STATE_FOLDER_FILES_MAX];
    size_t file_count;
};

/* Made (0700) when it is missing. False with error, also when another process or store has it. In each case
 * state_folder_close() follows. */
bool state_folder_open(struct state_folder *folder, const char *path, struct error *error);
void state_folder_close(struct state_folder *folder);

/* From now on the file of that name in the folder must stay the one that it is. */
bool state_folder_watch(struct state_folder *folder, const char *name, struct error *error);
/* All watched files, the lock among them, are still those that they were. A few calls of stat. */
bool state_folder_check(const struct state_folder *folder, struct error *error);

/* What was made in the folder is found after a power failure too. */
bool state_folder_sync(const struct state_folder *folder, struct error *error);

#endif
