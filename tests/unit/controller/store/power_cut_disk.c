#include "tests/unit/controller/store/power_cut_disk.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/mem.h"

#define SECTOR_BYTES 512
#define FILES_MAX 4
#define PENDING_MAX 4096

enum note_kind { NOTE_WRITE = 0, NOTE_TRUNCATE, NOTE_DELETE, NOTE_SYNC, NOTE_SYNC_OF_DIRECTORY, NOTE_PROMISE };

struct note {
    enum note_kind kind;
    size_t file;
    int64_t offset, len; /* a promise: its number is the offset */
    char *bytes;         /* owned; of a write */
};

/* A file as the disk has it for sure, and what was done to it since. */
struct disk_file {
    char name[64];
    bool exists;
    char *bytes;                 /* owned */
    int64_t len, size;           /* size: what bytes has room for */
    size_t pending[PENDING_MAX]; /* in notes */
    size_t pending_count;
};

static struct {
    sqlite3_vfs vfs, *real;
    pthread_mutex_t mutex; /* of notes and mode, while files are open */
    enum power_cut_mode mode;
    bool is_full, is_read_only, is_held;
    pthread_cond_t goes_on;
    struct note *notes; /* owned */
    size_t note_count, sync_count;
    struct disk_file files[FILES_MAX];
    size_t file_count;
    size_t replayed; /* notes that files[] has */
    int64_t promised;
} disk = { .mutex = PTHREAD_MUTEX_INITIALIZER, .goes_on = PTHREAD_COND_INITIALIZER };

struct shim_file {
    sqlite3_file base; /* first */
    size_t file;
    sqlite3_file *real; /* behind this struct */
};

/* ---- noting ---- */

static size_t find_file(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    for (size_t i = 0; i < disk.file_count; i++)
        if (strcmp(disk.files[i].name, name) == 0)
            return i;
    check(disk.file_count < FILES_MAX);
    snprintf(disk.files[disk.file_count].name, sizeof disk.files[0].name, "%s", name);
    return disk.file_count++;
}

static void note(enum note_kind kind, size_t file, const void *bytes, int64_t offset, int64_t len)
{
    bool is_sync = kind == NOTE_SYNC || kind == NOTE_SYNC_OF_DIRECTORY;
    pthread_mutex_lock(&disk.mutex);
    if (disk.mode != POWER_CUT_RESTS && !(is_sync && disk.mode == POWER_CUT_LIES)) {
        if ((disk.note_count & (disk.note_count - 1)) == 0)
            disk.notes = mem_grow_array(disk.notes, disk.note_count > 0 ? disk.note_count * 2 : 1, sizeof *disk.notes);
        struct note *n = &disk.notes[disk.note_count++];
        *n = (struct note){ .kind = kind, .file = file, .offset = offset, .len = len };
        if (kind == NOTE_WRITE)
            n->bytes = memcpy(mem_alloc((size_t)len), bytes, (size_t)len);
    }
    disk.sync_count += is_sync;
    pthread_mutex_unlock(&disk.mutex);
}

static bool is_full(void)
{
    pthread_mutex_lock(&disk.mutex);
    bool full = disk.is_full;
    pthread_mutex_unlock(&disk.mutex);
    return full;
}

static bool rests(void)
{
    pthread_mutex_lock(&disk.mutex);
    bool does_rest = disk.mode == POWER_CUT_RESTS;
    pthread_mutex_unlock(&disk.mutex);
    return does_rest;
}

static void wait_while_held(void)
{
    pthread_mutex_lock(&disk.mutex);
    while (disk.is_held)
        pthread_cond_wait(&disk.goes_on, &disk.mutex);
    pthread_mutex_unlock(&disk.mutex);
}

/* ---- the VFS ---- */

#define REAL(file) (((struct shim_file *)(file))->real)
#define FORWARD(name, arguments, ...)                              \
    static int shim_##name arguments                               \
    {                                                              \
        return REAL(f)->pMethods->x##name(REAL(f), ##__VA_ARGS__); \
    }

FORWARD(Close, (sqlite3_file * f))
FORWARD(Read, (sqlite3_file * f, void *out, int len, sqlite3_int64 at), out, len, at)
FORWARD(FileSize, (sqlite3_file * f, sqlite3_int64 *size), size)
FORWARD(Lock, (sqlite3_file * f, int level), level)
FORWARD(Unlock, (sqlite3_file * f, int level), level)
FORWARD(CheckReservedLock, (sqlite3_file * f, int *out), out)
FORWARD(FileControl, (sqlite3_file * f, int operation, void *arg), operation, arg)
FORWARD(SectorSize, (sqlite3_file * f))
FORWARD(DeviceCharacteristics, (sqlite3_file * f))
FORWARD(ShmMap, (sqlite3_file * f, int page, int size, int extend, void volatile **out), page, size, extend, out)
FORWARD(ShmLock, (sqlite3_file * f, int offset, int count, int flags), offset, count, flags)
FORWARD(ShmUnmap, (sqlite3_file * f, int remove_it), remove_it)

static void shim_ShmBarrier(sqlite3_file *f)
{
    REAL(f)->pMethods->xShmBarrier(REAL(f));
}

static int shim_Write(sqlite3_file *f, const void *bytes, int len, sqlite3_int64 at)
{
    if (is_full())
        return SQLITE_FULL;
    note(NOTE_WRITE, ((struct shim_file *)f)->file, bytes, at, len);
    return REAL(f)->pMethods->xWrite(REAL(f), bytes, len, at);
}

static int shim_Truncate(sqlite3_file *f, sqlite3_int64 len)
{
    note(NOTE_TRUNCATE, ((struct shim_file *)f)->file, NULL, 0, len);
    return REAL(f)->pMethods->xTruncate(REAL(f), len);
}

/* Noted once it is done; no test waits for a real disk. */
static int shim_Sync(sqlite3_file *f, int flags)
{
    (void)flags;
    wait_while_held();
    if (!rests())
        note(NOTE_SYNC, ((struct shim_file *)f)->file, NULL, 0, 0);
    return SQLITE_OK;
}

static int shim_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out_flags)
{
    static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = shim_Close,
        .xRead = shim_Read,
        .xWrite = shim_Write,
        .xTruncate = shim_Truncate,
        .xSync = shim_Sync,
        .xFileSize = shim_FileSize,
        .xLock = shim_Lock,
        .xUnlock = shim_Unlock,
        .xCheckReservedLock = shim_CheckReservedLock,
        .xFileControl = shim_FileControl,
        .xSectorSize = shim_SectorSize,
        .xDeviceCharacteristics = shim_DeviceCharacteristics,
        .xShmMap = shim_ShmMap,
        .xShmLock = shim_ShmLock,
        .xShmBarrier = shim_ShmBarrier,
        .xShmUnmap = shim_ShmUnmap,
    };
    (void)vfs;
    struct shim_file *file = (struct shim_file *)f;
    file->real = (sqlite3_file *)(file + 1);
    if (disk.is_read_only)
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
    int result = disk.real->xOpen(disk.real, path, file->real, flags, out_flags);
    file->base.pMethods = file->real->pMethods != NULL ? &methods : NULL;
    pthread_mutex_lock(&disk.mutex);
    file->file = path != NULL ? find_file(path) : 0;
    pthread_mutex_unlock(&disk.mutex);
    return result;
}

static int shim_delete(sqlite3_vfs *vfs, const char *path, int sync_directory)
{
    (void)vfs;
    pthread_mutex_lock(&disk.mutex);
    size_t file = find_file(path);
    pthread_mutex_unlock(&disk.mutex);
    note(NOTE_DELETE, file, NULL, 0, 0);
    if (sync_directory)
        note(NOTE_SYNC_OF_DIRECTORY, 0, NULL, 0, 0);
    return disk.real->xDelete(disk.real, path, 0);
}

/* Of state_folder.c: the directory, whose entries come and go with deletions. */
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    (void)fd;
    note(NOTE_SYNC_OF_DIRECTORY, 0, NULL, 0, 0);
    return 0;
}

void power_cut_disk_insert(void)
{
    check(sqlite3_initialize() == SQLITE_OK);
    disk.real = sqlite3_vfs_find(NULL);
    disk.vfs = *disk.real;
    disk.vfs.zName = "power-cut";
    disk.vfs.szOsFile = (int)sizeof(struct shim_file) + disk.real->szOsFile;
    disk.vfs.xOpen = shim_open;
    disk.vfs.xDelete = shim_delete;
    disk.mode = POWER_CUT_NOTES;
    check(sqlite3_vfs_register(&disk.vfs, 1) == SQLITE_OK);
}

void power_cut_disk_remove(void)
{
    sqlite3_vfs_unregister(&disk.vfs);
    sqlite3_vfs_register(disk.real, 1);
    for (size_t i = 0; i < disk.note_count; i++)
        free(disk.notes[i].bytes);
    free(disk.notes);
    for (size_t i = 0; i < disk.file_count; i++)
        free(disk.files[i].bytes);
    memset(disk.files, 0, sizeof disk.files);
    disk.notes = NULL;
    disk.note_count = disk.sync_count = disk.file_count = disk.replayed = 0;
    disk.promised = 0;
    disk.is_full = disk.is_read_only = false;
}

void power_cut_disk_set_mode(enum power_cut_mode mode)
{
    pthread_mutex_lock(&disk.mutex);
    disk.mode = mode;
    pthread_mutex_unlock(&disk.mutex);
}

void power_cut_disk_fill(bool on)
{
    pthread_mutex_lock(&disk.mutex);
    disk.is_full = on;
    pthread_mutex_unlock(&disk.mutex);
}

void power_cut_disk_hold(bool on)
{
    pthread_mutex_lock(&disk.mutex);
    disk.is_held = on;
    pthread_cond_broadcast(&disk.goes_on);
    pthread_mutex_unlock(&disk.mutex);
}

void power_cut_disk_protect(bool on)
{
    disk.is_read_only = on;
}

void power_cut_disk_note_promise(int64_t number)
{
    note(NOTE_PROMISE, 0, NULL, number, 0);
}

size_t power_cut_disk_note_count(void)
{
    pthread_mutex_lock(&disk.mutex);
    size_t count = disk.note_count;
    pthread_mutex_unlock(&disk.mutex);
    return count;
}

size_t power_cut_disk_sync_count(void)
{
    pthread_mutex_lock(&disk.mutex);
    size_t count = disk.sync_count;
    pthread_mutex_unlock(&disk.mutex);
    return count;
}

/* ---- what is there after a cut ---- */

static void resize(struct disk_file *file, int64_t len)
{
    if (len > file->size) {
        file->size = 2 * len;
        file->bytes = mem_grow_array(file->bytes, (size_t)file->size, 1);
    }
    if (len > file->len)
        memset(file->bytes + file->len, 0, (size_t)(len - file->len));
    file->len = len;
}

static void write_piece(struct disk_file *file, const struct note *n, int64_t from, int64_t to)
{
    file->exists = true;
    if (to > file->len)
        resize(file, to);
    memcpy(file->bytes + from, n->bytes + (from - n->offset), (size_t)(to - from));
}

/* By the chance: each sector of a write, or the whole of anything else, has happened or not. */
static bool has_happened(uint64_t *chance)
{
    if (*chance <= 1) /* 0: none of it, 1: all */
        return *chance == 1;
    *chance = *chance * 6364136223846793005u + 1442695040888963407u;
    return (*chance >> 60) & 1;
}

static void happen(struct disk_file *file, const struct note *n, uint64_t *chance)
{
    if (n->kind == NOTE_WRITE) {
        int64_t end = n->offset + n->len, to;
        for (int64_t from = n->offset; from < end; from = to) {
            to = (from / SECTOR_BYTES + 1) * SECTOR_BYTES;
            to = to < end ? to : end;
            if (has_happened(chance))
                write_piece(file, n, from, to);
        }
    } else if (n->kind == NOTE_TRUNCATE && has_happened(chance)) {
        resize(file, n->len < file->len ? n->len : file->len);
    } else if (n->kind == NOTE_DELETE && has_happened(chance)) {
        file->exists = false;
        file->len = 0;
    }
}

static void settle(struct disk_file *file)
{
    uint64_t all = 1;
    for (size_t i = 0; i < file->pending_count; i++)
        happen(file, &disk.notes[file->pending[i]], &all);
    file->pending_count = 0;
}

/* What was written to a file that is deleted for good is of no interest. */
static void settle_deletions(void)
{
    for (size_t i = 0; i < disk.file_count; i++)
        for (size_t j = 0; j < disk.files[i].pending_count; j++)
            if (disk.notes[disk.files[i].pending[j]].kind == NOTE_DELETE) {
                settle(&disk.files[i]);
                break;
            }
}

bool power_cut_disk_next(struct power_cut *cut)
{
    if (disk.replayed == disk.note_count)
        return false;
    const struct note *n = &disk.notes[disk.replayed];
    struct disk_file *file = &disk.files[n->file];
    if (n->kind == NOTE_PROMISE) {
        disk.promised = n->offset;
    } else if (n->kind == NOTE_SYNC) {
        settle(file);
    } else if (n->kind == NOTE_SYNC_OF_DIRECTORY) {
        settle_deletions();
    } else {
        check(file->pending_count < PENDING_MAX);
        file->pending[file->pending_count++] = disk.replayed;
    }
    *cut = (struct power_cut){ .at = ++disk.replayed, .promised = disk.promised };
    return true;
}

static void lay_out_file(const char *directory, const struct disk_file *file, uint64_t chance)
{
    char path[256];
    struct disk_file then = *file;
    then.size = 2 * file->len + SECTOR_BYTES;
    then.bytes = memcpy(mem_alloc((size_t)then.size), file->len > 0 ? file->bytes : "", (size_t)file->len);
    for (size_t i = 0; i < file->pending_count; i++)
        happen(&then, &disk.notes[file->pending[i]], &chance);
    snprintf(path, sizeof path, "%s/%s", directory, file->name);
    unlink(path);
    FILE *out = then.exists ? fopen(path, "w") : NULL;
    check(!then.exists || out != NULL);
    if (out != NULL) {
        check(fwrite(then.bytes, 1, (size_t)then.len, out) == (size_t)then.len);
        check(fclose(out) == 0);
    }
    free(then.bytes);
}

void power_cut_disk_lay_out(const char *directory, uint64_t chance)
{
    for (size_t i = 0; i < disk.file_count; i++)
        lay_out_file(directory, &disk.files[i], chance > 1 ? chance + i : chance);
}
