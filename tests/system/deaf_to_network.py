"""A browser gives up whatever it is loading when an interface of the machine comes or goes (ERR_NETWORK_CHANGED): any
container that somebody starts is enough. One that hears of none, since it gets no netlink socket, has no reason to."""
import ctypes
import errno
import socket

ALLOW = 0x7fff0000  # SCMP_ACT_ALLOW
FAIL = 0x00050000 | errno.EAFNOSUPPORT  # SCMP_ACT_ERRNO
EQUAL = 4  # SCMP_CMP_EQ


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp"""
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_init.argtypes = [ctypes.c_uint32]
library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
library.seccomp_load.argtypes = [ctypes.c_void_p]


def deafen():
    """Popen's preexec_fn: this process, and what comes of it, gets no netlink socket."""
    rules = library.seccomp_init(ALLOW)
    call = library.seccomp_syscall_resolve_name(b"socket")
    netlink = Comparison(0, EQUAL, socket.AF_NETLINK, 0)
    assert library.seccomp_rule_add_array(rules, FAIL, call, 1, ctypes.byref(netlink)) == 0
    assert library.seccomp_load(rules) == 0
