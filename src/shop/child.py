"""A server that runs as our child and never outlives us, however we end."""

import ctypes
import importlib.util
import json
import multiprocessing
import os
import platform
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

POLL = 0.02  # seconds between two looks at something that is about to happen

# The kernel sends the signal when the thread that started the child ends, so a parent killed with
# -9 takes its servers along. A small program asks for it and then becomes the server: running
# Python code between fork and exec (`preexec_fn`) can hang a process that has threads. The parent
# may be gone before the kernel was asked, hence the look at who the parent is.
_TIED_TO_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
if os.getppid() != int(sys.argv[1]):
    sys.exit("the shop ended before its server started")
os.execv(sys.argv[2], sys.argv[2:])
"""

# A server's environment holds none of the shop's keys. mongod refuses a locale the machine lacks.
_ENVIRONMENT = {"LC_ALL": "C"} | {
    name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ
}

# What a server says when its predecessor, killed a moment ago, has not quite let go.
_STILL_IN_USE = ("Address already in use", "DBPathInUse", "already running")


class ServerFailed(Exception):
    """An embedded server can't be used. The message is one line: what, why, and what to do."""


def program(name: str, wheel: str, variable: str) -> str:
    """The path of a server's program: from the wheel that carries it, else from PATH.

    `wheel` is its place in the installed packages, `variable` the setting that does without it.
    """
    package, *inside = wheel.split("/")
    spec = importlib.util.find_spec(package)  # finds the package without importing it
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = Path(folder).joinpath(*inside)
        if os.access(found, os.X_OK):
            return str(found)
    if on_path := shutil.which(name):
        return on_path
    remedy = f"install it, set {variable} to a running one, or use `docker compose up`"
    if sys.platform == "linux" and platform.machine() == "x86_64":
        remedy = (
            f"`pip install storefold[embedded]` brings it where there is a wheel; else {remedy}"
        )
    raise ServerFailed(f"{name} was not found: {remedy}")


def end_with_parent() -> None:
    """Have the kernel kill this process when the one that started it ends, however that happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, int(signal.SIGKILL))
    parent = multiprocessing.parent_process()
    if parent is not None and os.getppid() != parent.pid:  # it ended before the kernel was asked
        sys.exit("the shop ended before its worker started")


class Child:
    """A running server. Its output goes to `log`; that of the run before is kept beside it."""

    def __init__(self, command: list[str], log: Path) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a server must be started from the main thread: it ends with it")
        self.log = log
        if log.exists():
            log.replace(log.with_name(log.name + ".1"))
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _TIED_TO_PARENT, str(os.getpid()), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=_ENVIRONMENT,
                start_new_session=True,  # a Ctrl-C at the terminal is ours: the servers go last
            )
        self.pid = self._process.pid

    def running(self) -> bool:
        return self._process.poll() is None

    def said(self) -> str:
        """What it complained of, on one line."""
        with self.log.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 100_000))
            lines = log.read().decode(errors="replace").splitlines()
        # mongod tells the cause first and what follows from it next; others end with the cause.
        if errors := [error for line in lines if (error := _mongod_error(line))]:
            return errors[0]
        if words := [line.rpartition(" # ")[2].strip() for line in lines if line[:1] != "{"]:
            return words[-1]
        if shutil.disk_usage(self.log).free < 1_000_000:
            return "nothing, for there is no space left on the disk"
        return f"nothing, and it ended with code {self._process.poll()}"

    def stop(self, within: float) -> None:
        """Asks it to stop, waits that many seconds, then kills it."""
        self._process.terminate()
        try:
            self._process.wait(within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def start(
    command: Callable[[int], list[str]],
    *,
    log: Path,
    port: int | None,
    answering: Callable[[int], int | None],
    within: float,
) -> tuple[Child, int]:
    """Starts a server and waits until it answers: the child and its port.

    `port` is the one to prefer; `answering` tells the process id of whoever answers at a port.
    Raises `ServerFailed`.
    """
    deadline = time.monotonic() + within
    while True:
        if port is None or not free(port):
            port = _any_port()
        child = Child(command(port), log)
        try:
            while child.running() and time.monotonic() < deadline:
                if answering(port) == child.pid:
                    return child, port
                time.sleep(POLL)
        except BaseException:
            child.stop(0)
            raise
        said = child.said() if not child.running() else f"nothing for {within:.0f} s"
        child.stop(0)
        if time.monotonic() > deadline or not any(reason in said for reason in _STILL_IN_USE):
            name = Path(command(port)[0]).name
            raise ServerFailed(f"{name} did not start: {said} (its log: {log})")
        time.sleep(POLL)


def free(port: int) -> bool:
    """Whether nobody listens at that port."""
    with socket.socket() as probe:
        # As servers bind: a connection of the last run that lingers is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _any_port() -> int:
    """A port below those that systems hand out to outgoing connections, so that it stays free."""
    while not free(port := random.randrange(20_000, 30_000)):
        pass
    return port


def _mongod_error(line: str) -> str:
    try:
        entry = json.loads(line)
        if entry["s"] not in ("E", "F"):
            return ""
        attributes = entry.get("attr", {})
        detail = attributes.get("message", attributes.get("error", ""))
        if isinstance(detail, dict):
            detail = detail.get("msg") or detail.get("errmsg")
        return " ".join(f"{entry['msg']}: {detail}".split())
    except (ValueError, KeyError, TypeError):
        return ""
