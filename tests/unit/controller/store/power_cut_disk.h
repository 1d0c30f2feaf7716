/* power_cut_disk: a disk that remembers. While it is in, SQLite's files go through it to where they always go, and each write,
 * truncation, deletion and sync is noted. Afterwards it lays out what would be on the disk had the power failed after any
 * of them: all that was synced, and of what was not, sectors at random (https://www.sqlite.org/atomiccommit.html,
 * chapter 2). One at a time; files may be written on any thread, the rest is for one. */
#ifndef TESTS_UNIT_CONTROLLER_STORE_POWER_CUT_DISK_H
#define TESTS_UNIT_CONTROLLER_STORE_POWER_CUT_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum power_cut_mode {
    POWER_CUT_NOTES = 0, /* all is noted */
    POWER_CUT_LIES,      /* a sync is noted as if the disk had done nothing: what must be found out */
    POWER_CUT_RESTS      /* nothing is noted, and no sync is waited for */
};

void power_cut_disk_insert(void); /* from then on it is the VFS of every file that is opened */
void power_cut_disk_remove(void); /* no file is open any more */
void power_cut_disk_set_mode(enum power_cut_mode mode);

/* Writes say that there is no room (on), or there is again. */
void power_cut_disk_fill(bool on);
/* Syncs do not end (on), until they may again. */
void power_cut_disk_hold(bool on);
/* What is opened from now on may be read alone. Before there is another thread. */
void power_cut_disk_protect(bool on);

/* Stands in the order of the writes: that was promised. */
void power_cut_disk_note_promise(int64_t number);
size_t power_cut_disk_note_count(void);
size_t power_cut_disk_sync_count(void);

/* From the first thing noted to the last. False when there is none any more. */
struct power_cut {
    size_t at;        /* things noted before it */
    int64_t promised; /* the greatest number before it */
};
bool power_cut_disk_next(struct power_cut *cut);
/* What is there after the latest cut, below this directory; `chance` decides about what was not synced. */
void power_cut_disk_lay_out(const char *directory, uint64_t chance);

#endif
