#include "proxy/process/jail.h"

#include "base/log.h"
#include "proxy/process/jail_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CAPABILITY_COUNT_MAX 64

struct account {
    uid_t uid;
    gid_t gid;
};

static bool find_account(const char *user, struct account *out, struct error *error)
{
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (!entry && errno != 0 && errno != ENOENT)
        return error_set_errno(error, "proxy.user: looking up the account '%s'", user);
    if (!entry)
        return error_set(error, "proxy.user: there is no account '%s'", user);
    *out = (struct account){ entry->pw_uid, entry->pw_gid };
    return true;
}

/* What no later exec could give back. Needs CAP_SETPCAP: without it there is hardly anything to drop, and no_new_privs
 * bars the way all the same. */
static void drop_bounding_set(void)
{
    for (unsigned long capability = 0; capability < CAPABILITY_COUNT_MAX; capability++)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static bool drop_capabilities(struct error *error)
{
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    if (syscall(SYS_capset, &header, none) < 0)
        return error_set_errno(error, "dropping capabilities");
    return true;
}

static bool become(const struct account *account, struct error *error)
{
    if (setgroups(0, NULL) < 0)
        return error_set_errno(error, "proxy.user: dropping supplementary groups");
    if (setresgid(account->gid, account->gid, account->gid) < 0)
        return error_set_errno(error, "proxy.user: changing to group %u", (unsigned)account->gid);
    if (setresuid(account->uid, account->uid, account->uid) < 0)
        return error_set_errno(error, "proxy.user: changing to user %u", (unsigned)account->uid);
    if (account->uid != 0 && setuid(0) == 0)
        return error_set(error, "proxy.user: the change to user %u can be undone", (unsigned)account->uid);
    return true;
}

/* No path is allowed anything of this. Reading stays: what is readable for all has no secret. A kernel without Landlock
 * is no error: the filter refuses to open a file for writing as well. */
static bool close_file_system(struct error *error)
{
    static const struct landlock_ruleset_attr refused = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                             LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                             LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
                             LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
                             LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM
    };
    long ruleset = syscall(SYS_landlock_create_ruleset, &refused, sizeof refused, 0);
    if (ruleset < 0)
        return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? true : error_set_errno(error, "Landlock");
    bool done = syscall(SYS_landlock_restrict_self, ruleset, 0) == 0;
    if (!done)
        error_set_errno(error, "Landlock");
    close((int)ruleset);
    return done;
}

/* A container may run as root with none of the rights of root: then there is no account to change to, and nobody who could
 * end a process of another one. */
static bool can_change_account(void)
{
    static const struct {
        int number;
        const char *name;
    } needed[] = { { CAP_SETUID, "CAP_SETUID" }, { CAP_SETGID, "CAP_SETGID" }, { CAP_KILL, "CAP_KILL" } };
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct have[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
    char missing[64] = "";
    if (syscall(SYS_capget, &header, have) < 0)
        return true;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!(have[0].effective & 1u << needed[i].number))
            snprintf(missing + strlen(missing), sizeof missing - strlen(missing), " %s", needed[i].name);
    }
    if (missing[0])
        log_warn("proxy.user: the account is not changed, for want of%s; all other rights are given up", missing);
    return !missing[0];
}

bool jail_enter(const char *user, struct error *error)
{
    bool is_root = geteuid() == 0;
    struct account account = { 0, 0 };
    if (user && is_root && !find_account(user, &account, error))
        return false;
    is_root = is_root && (!user || can_change_account());
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return error_set_errno(error, "no_new_privs");
    drop_bounding_set();
    if (user && is_root && !become(&account, error))
        return false;
    return drop_capabilities(error) && close_file_system(error) && jail_filter_load(error);
}
