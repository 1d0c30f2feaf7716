"""Where a run was made: machine, versions, commit; and the cores that it uses."""
import os
import re
import shutil
import subprocess

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RESULTS = os.path.join(ROOT, "bench", "results")
# The proxy has a core for itself; the generator, the backends and this script share the other one.
PROXY_CORE, LOAD_CORE = (1, 0) if (os.cpu_count() or 1) > 1 else (0, 0)
SEARCH_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin"


def find_program(name):
    """Its path, or None. Servers live in /usr/sbin, which is in few users' PATH."""
    return shutil.which(name, path=SEARCH_PATH)


def command_output(*command):
    """Standard output and standard error together; "" when there is no such program."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def describe_machine():
    with open("/proc/cpuinfo") as f:
        cpu = re.search(r"model name\s*:\s*(.*)", f.read())
    with open("/proc/meminfo") as f:
        memory_kib = int(re.search(r"MemTotal:\s*(\d+)", f.read()).group(1))
    virtual = command_output("systemd-detect-virt") or "unknown virtualisation"
    return {
        "cpu": cpu.group(1) if cpu else os.uname().machine,
        "cores": os.cpu_count(),
        "memory_mib": memory_kib // 1024,
        "kernel": os.uname().release,
        "virtualisation": virtual,
    }


def machine_line(machine):
    return (f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_mib']} MiB, Linux {machine['kernel']},"
            f" {machine['virtualisation']}")


def commit():
    """Empty outside of a repository. "-dirty": the sources differ from that commit."""
    return command_output("git", "describe", "--always", "--dirty")


def version_of(program, *arguments):
    """The version number in what it says about itself; None when it is not here."""
    path = find_program(program)
    found = re.search(r"\d+\.\d+[\w.+~-]*", command_output(path, *arguments)) if path else None
    return found.group(0) if found else None


def versions(portico):
    asked = {"nginx": ["-v"], "haproxy": ["-v"], "caddy": ["version"], "h2o": ["-v"], "valgrind": ["--version"],
             "strace": ["--version"], "gnuplot": ["--version"]}
    found = {name: version_of(name, *arguments) for name, arguments in asked.items()}
    found["portico"] = version_of(portico, "--version")
    return {name: version for name, version in sorted(found.items()) if version}


def is_in_memory(path, mounts="/proc/mounts"):
    """Whether files at this path never reach a disk."""
    path, best, kind = os.path.realpath(path), "", ""
    with open(mounts) as f:
        for line in f:
            _, mount, found, *_ = line.split()
            if len(mount) >= len(best) and (path + "/").startswith(mount.rstrip("/") + "/"):
                best, kind = mount, found
    return kind in ("tmpfs", "ramfs", "devtmpfs")


def is_same_machine(one, other):
    return all(one.get(key) == other.get(key) for key in ("cpu", "cores", "kernel"))
