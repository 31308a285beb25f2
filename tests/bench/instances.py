"""How is a measured function run? As a real functions-framework process, whose CPU is known and whose start can be
slowed down to a share of one."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import FRAMEWORK, PATIENCE, eventually, free_port, listens

CGROUP = Path("/sys/fs/cgroup/cpu/belfry-bench")
PERIOD = 0.1  # seconds; of each the processes get their share


@dataclass(frozen=True)
class Instance:
    """One process group: gunicorn's arbiter leads it, its worker serves."""

    url: str
    port: int
    process: subprocess.Popen[bytes]
    launched: float  # time.monotonic()

    def cpu_ms(self) -> float:
        """On-CPU milliseconds of every thread of the group that still lives."""
        return sum(_on_cpu_ns(pid) for pid in [self.process.pid, *_children(self.process.pid)]) / 1e6

    def memory_mb(self) -> float:
        """The most that the serving process has ever held at once."""
        return max(_peak_kb(pid) for pid in [self.process.pid, *_children(self.process.pid)]) / 1024


@contextmanager
def launched(
    target: str, source: Path, folder: Path, environment: Mapping[str, str], *, share: float | None = None
) -> Iterator[Instance]:
    """Start a function and go on at once. `share`: of one CPU, as a small Cloud Run instance has."""
    port = free_port()
    command = [FRAMEWORK, "--target", target, "--source", source, "--host", "127.0.0.1", "--port", str(port)]
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={"PATH": os.environ["PATH"], **environment},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    throttle = _slowed(process.pid, share) if share else None
    try:
        yield Instance(f"http://127.0.0.1:{port}/", port, process, began)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if throttle:
            throttle.end()


@contextmanager
def running(target: str, source: Path, folder: Path, environment: Mapping[str, str]) -> Iterator[Instance]:
    """A function that listens."""
    with launched(target, source, folder, environment) as instance:
        eventually(lambda: instance.process.poll() is not None or listens(instance.port), f"{target} listens")
        if instance.process.poll() is not None:
            raise AssertionError(f"{target} did not come up within {PATIENCE:g} s")
        yield instance


class _Quota:
    """A cgroup with a share of one CPU, where one may be made."""

    def __init__(self, pid: int, share: float) -> None:
        CGROUP.mkdir(exist_ok=True)
        (CGROUP / "cpu.cfs_period_us").write_text(str(int(PERIOD * 1e6)))
        (CGROUP / "cpu.cfs_quota_us").write_text(str(int(PERIOD * 1e6 * share)))
        (CGROUP / "cgroup.procs").write_text(str(pid))

    def end(self) -> None:
        eventually(lambda: not (CGROUP / "cgroup.procs").read_text(), "the processes of the quota end")
        CGROUP.rmdir()


class _Throttle:
    """Gives a group of processes a share of one CPU: it is stopped and continued in every tenth of a second.

    Works everywhere, but what others take of its turn is lost, so it is only used where no cgroup may be made.
    """

    def __init__(self, group: int, share: float) -> None:
        self._group, self._share = group, share
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._cycle, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        self._thread.join()

    def _cycle(self) -> None:
        while not self._over.wait(PERIOD * self._share):
            self._tell(signal.SIGSTOP)
            self._over.wait(PERIOD * (1 - self._share))
            self._tell(signal.SIGCONT)

    def _tell(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._group, number)
        except ProcessLookupError:  # it has just ended
            self._over.set()


def _slowed(pid: int, share: float) -> _Quota | _Throttle:
    try:
        return _Quota(pid, share)
    except OSError:
        return _Throttle(pid, share)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _on_cpu_ns(pid: int) -> int:
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _peak_kb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
