/* vocabulary: the fields of a task definition that are one of a few words, each word once. Makes the enums of those that
 * decisions are taken by; the others stay the text that is handed on. What reads, suggests and documents them is
 * config/task_definition/kind.h. */
#ifndef CONFIG_TASK_DEFINITION_VOCABULARY_H
#define CONFIG_TASK_DEFINITION_VOCABULARY_H

/* X(enumerator, word); a null word stands for a field that is not written. */
#define NETWORK_MODE_WORDS(X)        \
    X(NETWORK_MODE_BRIDGE, "bridge") \
    X(NETWORK_MODE_HOST, "host")     \
    X(NETWORK_MODE_AWSVPC, "awsvpc") \
    X(NETWORK_MODE_NONE, "none")
#define PID_MODE_WORDS(X) X(PID_MODE_PRIVATE, NULL) X(PID_MODE_HOST, "host") X(PID_MODE_TASK, "task")
#define IPC_MODE_WORDS(X)     \
    X(IPC_MODE_DEFAULT, NULL) \
    X(IPC_MODE_HOST, "host")  \
    X(IPC_MODE_TASK, "task")  \
    X(IPC_MODE_NONE, "none")
#define TRANSPORT_WORDS(X) X(TRANSPORT_TCP, "tcp") X(TRANSPORT_UDP, "udp")
#define APP_PROTOCOL_WORDS(X)      \
    X(APP_PROTOCOL_UNSET, NULL)    \
    X(APP_PROTOCOL_HTTP, "http")   \
    X(APP_PROTOCOL_HTTP2, "http2") \
    X(APP_PROTOCOL_GRPC, "grpc")
#define CONDITION_WORDS(X)            \
    X(CONDITION_START, "START")       \
    X(CONDITION_COMPLETE, "COMPLETE") \
    X(CONDITION_SUCCESS, "SUCCESS")   \
    X(CONDITION_HEALTHY, "HEALTHY")
#define VOLUME_SCOPE_WORDS(X) X(VOLUME_SCOPE_TASK, "task") X(VOLUME_SCOPE_SHARED, "shared")

/* X(kind, enum) */
#define ENUM_KIND_LIST(X)         \
    X(NETWORK_MODE, network_mode) \
    X(PID_MODE, pid_mode)         \
    X(IPC_MODE, ipc_mode)         \
    X(TRANSPORT, transport)       \
    X(APP_PROTOCOL, app_protocol) \
    X(CONDITION, condition)       \
    X(VOLUME_SCOPE, volume_scope)

/* X(word). Left as they are: the formatter would give most words a line of their own. */
/* clang-format off */
#define COMPATIBILITY_WORDS(X) X("EC2") X("FARGATE") X("EXTERNAL") X("MANAGED_INSTANCES")
#define CPU_ARCHITECTURE_WORDS(X) X("X86_64") X("ARM64")
#define VERSION_CONSISTENCY_WORDS(X) X("enabled") X("disabled")
#define ENVIRONMENT_FILE_TYPE_WORDS(X) X("s3")
#define DEVICE_PERMISSION_WORDS(X) X("read") X("write") X("mknod")
#define LOG_DRIVER_WORDS(X) \
    X("json-file") X("syslog") X("journald") X("gelf") X("fluentd") X("awslogs") X("splunk") \
    X("awsfirelens")
#define ULIMIT_NAME_WORDS(X) \
    X("core") X("cpu") X("data") X("fsize") X("locks") X("memlock") X("msgqueue") X("nice") X("nofile") \
    X("nproc") X("rss") X("rtprio") X("rttime") X("sigpending") X("stack")
#define CAPABILITY_WORDS(X) \
    X("ALL") X("AUDIT_CONTROL") X("AUDIT_WRITE") X("BLOCK_SUSPEND") X("CHOWN") X("DAC_OVERRIDE") \
    X("DAC_READ_SEARCH") X("FOWNER") X("FSETID") X("IPC_LOCK") X("IPC_OWNER") X("KILL") X("LEASE") \
    X("LINUX_IMMUTABLE") X("MAC_ADMIN") X("MAC_OVERRIDE") X("MKNOD") X("NET_ADMIN") X("NET_BIND_SERVICE") \
    X("NET_BROADCAST") X("NET_RAW") X("SETFCAP") X("SETGID") X("SETPCAP") X("SETUID") X("SYS_ADMIN") \
    X("SYS_BOOT") X("SYS_CHROOT") X("SYS_MODULE") X("SYS_NICE") X("SYS_PACCT") X("SYS_PTRACE") \
    X("SYS_RAWIO") X("SYS_RESOURCE") X("SYS_TIME") X("SYS_TTY_CONFIG") X("SYSLOG") X("WAKE_ALARM")
#define MOUNT_FLAG_WORDS(X) \
    X("defaults") X("ro") X("rw") X("suid") X("nosuid") X("dev") X("nodev") X("exec") X("noexec") X("sync") \
    X("async") X("dirsync") X("remount") X("mand") X("nomand") X("atime") X("noatime") X("diratime") \
    X("nodiratime") X("bind") X("rbind") X("unbindable") X("runbindable") X("private") X("rprivate") \
    X("shared") X("rshared") X("slave") X("rslave") X("relatime") X("norelatime") X("strictatime") \
    X("nostrictatime")
#define TMPFS_OPTION_WORDS(X) X("mode") X("uid") X("gid") X("nr_inodes") X("nr_blocks") X("mpol")
/* clang-format on */

#define TEXT_WORD_KIND_LIST(X) \
    X(COMPATIBILITY)           \
    X(CPU_ARCHITECTURE)        \
    X(VERSION_CONSISTENCY)     \
    X(ENVIRONMENT_FILE_TYPE)   \
    X(DEVICE_PERMISSION)       \
    X(LOG_DRIVER)              \
    X(ULIMIT_NAME)             \
    X(CAPABILITY)

#define ENUMERATOR(value, word) value,
#define X(kind, tag) enum tag { kind##_WORDS(ENUMERATOR) kind##_COUNT };
ENUM_KIND_LIST(X)
#undef X
#undef ENUMERATOR

#endif
