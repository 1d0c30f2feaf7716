#!/bin/sh
# Time, sockets, processes, threads and events are touched in base/ and in the files named here, each of which owns an
# effect. Everything else can run under a fake clock, in the simulator and in the fuzzer.
set -u
. tests/lint/sources.sh
owners='proxy/log/access_log.c proxy/log/access_log_opener.c proxy/io/channel.c proxy/io/transport_plain.c proxy/client/listener.c proxy/process/snapshot_file.c proxy/process/proxy.c
proxy/process/fleet.c proxy/process/worker_thread.c proxy/process/jail.c proxy/process/jail_self_test.c admin/server.c admin/connections.c daemon/child.c
daemon/listen_sockets.c daemon/signals.c daemon/supervisor.c daemon/crew.c daemon/predecessors.c daemon/succession.c daemon/upgrade.c
daemon/upgrade_order.c daemon/watchdog.c daemon/control.c daemon/main.c controller/store/write_thread.c'
calls='time|gettimeofday|clock_gettime|sleep|usleep|nanosleep|socket|socketpair|accept4?|connect|bind|listen|recv|recvfrom'
calls="$calls|recvmsg|shutdown|[gs]etsockopt|getsockname|getpeername|splice|sendfile|send|sendto|sendmsg|poll|select|epoll_[a-z0-9]+|fork|vfork|execv[pe]*"
calls="$calls|execl[pe]*|posix_spawnp?|system|popen|pthread_create|kill|signal|sigaction|timerfd_[a-z]+|curl_easy_perform"
calls="$calls|event_(add|del|del_noblock|assign|new|free|active|base_[a-z_]+)|evtimer_[a-z_]+|evhttp_new"
status=0
for file in $(files '*.c' '*.h' | grep -E "^($(echo $MODULES | tr ' ' '|'))/" | grep -v '^base/'); do
    case " $(echo $owners) " in *" $file "*) continue ;; esac
    # Without strings and comments; not "static ... accept(": a function of that name of the file itself.
    sed -E 's/"([^"\\]|\\.)*"/""/g; s|/\*.*\*/||; s|/\*.*||; s|^ ?\*.*||' "$file" |
        awk -v file="$file" -v calls="(^|[^a-zA-Z0-9_.>])($calls)\\(" '
            /^static .*\(/ { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); own[name] = 1 }
            match($0, calls) {
                name = substr($0, RSTART, RLENGTH); gsub(/[^a-zA-Z0-9_]/, "", name)
                if (!own[name]) { printf "%s:%d: %s() is an effect; it belongs in base/ or in a file that owns it\n",
                                  file, FNR, name; bad = 1 }
            } END { exit bad }' || status=1
done
# What is spoken on a channel's socket is its transport's business: nobody outside of proxy/io/ takes the descriptor past it.
wrong=$(files 'proxy/*.c' 'proxy/*.h' | grep -v '^proxy/io/' | xargs grep -nE 'channel(\.|->)fd|(^|[^a-z_])(from|to|client|upstream|ch)->fd' /dev/null |
    sed 's|$|   <- a descriptor of a channel belongs to proxy/io/|')
[ -z "$wrong" ] || { echo "$wrong"; status=1; }
exit $status
