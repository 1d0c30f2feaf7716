"""What /proc says about the processes of a proxy and about the cores."""
import os

TICKS = os.sysconf("SC_CLK_TCK")


def _stat_fields(pid):
    """The fields after the name; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()
    except (OSError, IndexError):
        return None


def tree(pid):
    """pid and all its descendants."""
    children = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        fields = _stat_fields(entry)
        if fields:
            children.setdefault(int(fields[1]), []).append(int(entry))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def _thread_seconds(pid, tid):
    """Nanosecond exact, where the kernel tells; /proc/PID/stat counts in ticks of 10 ms."""
    try:
        with open(f"/proc/{pid}/task/{tid}/schedstat") as f:
            return int(f.read().split()[0]) / 1e9
    except OSError:
        return 0.0


def cpu_seconds(pid):
    """User and kernel time of pid, its descendants, and those descendants that ended and were waited for."""
    total = 0.0
    for process in tree(pid):
        fields = _stat_fields(process)
        if not fields:
            continue
        try:
            threads = os.listdir(f"/proc/{process}/task")
        except OSError:
            continue
        exact = sum(_thread_seconds(process, tid) for tid in threads)
        own = exact if exact > 0 else (int(fields[11]) + int(fields[12])) / TICKS
        total += own + (int(fields[13]) + int(fields[14])) / TICKS  # cutime, cstime
    return total


def core_busy_seconds(core):
    """Time of this core that was neither idle nor waiting for a disk, by whomever."""
    with open("/proc/stat") as f:
        for line in f:
            fields = line.split()
            if fields[0] == f"cpu{core}":
                ticks = [int(n) for n in fields[1:9]]
                return (sum(ticks) - ticks[3] - ticks[4]) / TICKS
    return 0.0


def memory_kib(pid):
    """RSS and PSS of pid and its descendants. PSS counts a page that n processes share as 1/n. None: not told."""
    rss, pss = 0, 0
    for process in tree(pid):
        try:
            with open(f"/proc/{process}/smaps_rollup") as f:
                fields = dict(line.split(":", 1) for line in f.read().splitlines()[1:])
            rss += int(fields["Rss"].split()[0])
            pss += int(fields["Pss"].split()[0])
        except (OSError, KeyError, ValueError):
            return _rss_only(pid), None
    return rss, pss


def _rss_only(pid):
    total = 0
    for process in tree(pid):
        try:
            with open(f"/proc/{process}/statm") as f:
                total += int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
        except OSError:
            continue
    return total or None
