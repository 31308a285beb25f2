"""How does a child end with its parent, and as somebody Postgres accepts? By this launcher, which becomes it.

`python -I -S launch.py PARENT_PID SIGNAL [--user-namespace] PROGRAM ARGS...` sets what must be set between fork and
exec, then execs. A `preexec_fn` would do the same inside a fork of a process full of gRPC threads, which may hang.
Standard library only, and little of it: it costs 15 ms a child.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
NOT_ROOT = 1000  # who root is inside the namespace; outside, files stay root's


def _linux(function: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def enter_user_namespace() -> None:
    """Root becomes an ordinary user in its own eyes (facts 4): no user is created, 0700 folders still open."""
    user, group = os.geteuid(), os.getegid()
    _linux("unshare", CLONE_NEWUSER)
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{NOT_ROOT} {user} 1")
    _write("/proc/self/gid_map", f"{NOT_ROOT} {group} 1")


def die_with(parent: int, signal_number: int) -> None:
    """The kernel sends the signal when the parent is gone, however it went. Only Linux can."""
    if not sys.platform.startswith("linux"):
        return
    _linux("prctl", PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
    if os.getppid() != parent:  # it died before the line above
        sys.exit("the parent is gone")


def main(arguments: list[str]) -> None:
    parent, signal_number, *program = arguments
    if program[0] == "--user-namespace":
        program = program[1:]
        enter_user_namespace()  # first: a change of credentials clears the death signal
    die_with(int(parent), int(signal_number))
    os.execvp(program[0], program)  # noqa: S606  # no shell is the point


if __name__ == "__main__":
    main(sys.argv[1:])
