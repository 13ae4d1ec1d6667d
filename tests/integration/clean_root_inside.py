"""Becomes a program inside a root folder of its own: the first program of new mount and network namespaces.

usage: unshare --mount --net python3 clean_root_inside.py JSON, an object with
    root      the folder
    command   the program and its arguments
    writable  folders of the root; with some, all others are read-only, as a service may have them
    user      the number of a user without any right; else root
    syscalls  names of the only system calls there are (others fail with EPERM); else all

SPDX-License-Identifier: Apache-2.0
"""

import ctypes
import errno
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys

SIOCSIFFLAGS, UP_AND_RUNNING = 0x8914, 1 | 64
PR_SET_NO_NEW_PRIVS, PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 38, 65, 1
SCMP_ACT_ERRNO, SCMP_ACT_ALLOW = 0x00050000, 0x7FFF0000


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def prepare_mounts(root, writable):
    if writable:
        mount("--bind", root, root)
        mount("-o", "remount,bind,ro", root)
    for folder in writable:
        mount("--bind", root + folder, root + folder)
        mount("-o", "remount,bind,rw", root + folder)
    mount("--rbind", "/dev", root + "/dev")
    mount("-t", "proc", "proc", root + "/proc")


def allow_only(seccomp, names):
    seccomp.seccomp_init.restype = ctypes.c_void_p
    rules = ctypes.c_void_p(seccomp.seccomp_init(SCMP_ACT_ERRNO | errno.EPERM))
    for name in names:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            assert seccomp.seccomp_rule_add(rules, SCMP_ACT_ALLOW, number, 0) == 0, name
    assert seccomp.seccomp_load(rules) == 0


def main():
    wanted = json.loads(sys.argv[1])
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True) if wanted.get("syscalls") else None
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh", b"lo", UP_AND_RUNNING))
    prepare_mounts(wanted["root"], wanted.get("writable", []))
    os.chroot(wanted["root"])
    os.chdir("/")
    if wanted.get("user"):
        os.setgroups([])
        os.setresgid(*[wanted["user"]] * 3)
        os.setresuid(*[wanted["user"]] * 3)
        assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        # No memory that is written and run; kernels before 6.3 do not know that.
        libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)
    if seccomp:
        allow_only(seccomp, wanted["syscalls"])
    os.execvp(wanted["command"][0], wanted["command"])


main()
