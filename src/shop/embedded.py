"""A real MongoDB and a real Redis for a shop that names none, running as long as it does."""

import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

from shop import mongod, redis_server
from shop.child import POLL, Child, ServerFailed

__all__ = ["ServerFailed", "Servers", "servers"]

JOINED_WITHIN = 90.0  # seconds for the servers of another process to come up or go away
STOPPED_WITHIN = 20.0
WATCHED_EVERY = 0.5

# Redis first: it is up before mongod has read its own options.
_ENGINES = {"redis": redis_server, "mongodb": mongod}


@dataclass(frozen=True)
class Servers:
    """Where the embedded servers answer; None for one that was not wanted."""

    mongodb_url: str | None
    redis_url: str | None
    ours: bool
    """Whether this process started them, so that they end with it."""


@dataclass
class _Record:
    """`servers.json`: what runs on a data folder, and who runs it."""

    owner: int | None = None
    stays: bool = False
    ports: dict[str, int] = field(default_factory=dict)  # kept from one run to the next
    pids: dict[str, int] = field(default_factory=dict)

    def answers(self) -> bool:
        return bool(self.pids) and all(
            _ENGINES[name].process(self.ports[name]) == pid for name, pid in self.pids.items()
        )

    def addresses(self, wanted: list[str], *, ours: bool) -> Servers:
        urls = {name: _ENGINES[name].url(self.ports[name]) for name in wanted}
        return Servers(urls.get("mongodb"), urls.get("redis"), ours)


@contextmanager
def servers(
    data_dir: Path, *, mongodb: bool = True, redis: bool = True, stay: bool = False
) -> Iterator[Servers]:
    """Runs the wanted servers on data below `data_dir`, or uses those that another process runs.

    Call it from the main thread, before an event loop. `stay` is for a process that serves until it
    is told to stop: it does not build on the servers of a passing command, but waits for its end
    and starts its own. A passing command waits, at its end, for others that use its servers.
    Raises `ServerFailed`.
    """
    asked = {"redis": redis, "mongodb": mongodb}
    wanted = [name for name in _ENGINES if asked[name]]
    if not wanted:
        yield Servers(None, None, ours=False)
        return
    with ExitStack() as stack:
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
            found = stack.enter_context(_shared(data_dir.resolve(), wanted, stay))
        except OSError as error:
            raise ServerFailed(
                f"the data folder {data_dir} can't be used: {error.strerror or error}; make it a"
                " writable folder with room to spare, or name another one with SHOP_DATA_DIR"
            ) from error
        yield found


@contextmanager
def _shared(data_dir: Path, wanted: list[str], stay: bool) -> Iterator[Servers]:
    """Whoever gets the lock starts the servers; the others are guests while those run."""
    deadline = time.monotonic() + JOINED_WITHIN
    with (data_dir / "lock").open("a") as lock, (data_dir / "guests").open("a") as guests:
        while not _locked(lock, fcntl.LOCK_EX):
            if _locked(guests, fcntl.LOCK_SH):
                record = _read(data_dir)
                if (record.stays or not stay) and record.answers():
                    yield _as_guest(data_dir, record, wanted)
                    return
                fcntl.flock(guests, fcntl.LOCK_UN)
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"another shop command holds {data_dir} (process {_read(data_dir).owner}):"
                    " wait for its end or end it, or name another folder with SHOP_DATA_DIR"
                )
            time.sleep(POLL)
        with _owned(data_dir, wanted, stay) as started:
            try:
                yield started
            finally:
                if not stay:
                    fcntl.flock(guests, fcntl.LOCK_EX)


def _locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _as_guest(data_dir: Path, record: _Record, wanted: list[str]) -> Servers:
    for name in wanted:
        if name not in record.pids:
            raise ServerFailed(
                f"the shop that runs on {data_dir} (process {record.owner}) has its {name}"
                f" elsewhere: set SHOP_{name.upper()}_URL as it does"
            )
    return record.addresses(wanted, ours=False)


@contextmanager
def _owned(data_dir: Path, wanted: list[str], stay: bool) -> Iterator[Servers]:
    record = _Record(stays=stay, ports=_read(data_dir).ports)
    _write(data_dir, record)  # so that nobody takes a killed run's servers for ours
    with ExitStack() as running:
        for name in wanted:
            child, record.ports[name] = _ENGINES[name].start(
                data_dir / name, record.ports.get(name)
            )
            record.pids[name] = child.pid
            running.callback(_stop, child)
            if stay and name == "mongodb":
                running.enter_context(_watched(child))
        record.owner = os.getpid()
        _write(data_dir, record)
        try:
            yield record.addresses(wanted, ours=True)
        finally:
            with suppress(OSError):  # a full disk keeps nobody from stopping
                _write(data_dir, _Record(ports=record.ports))


@contextmanager
def _watched(mongod: Child) -> Iterator[None]:
    """Ends this process when its MongoDB ends: whoever runs the shop starts it again, and it finds
    its journal. (Without Redis it goes on, only slower.)"""
    done = threading.Event()
    died = threading.Event()

    def watch() -> None:
        while not done.wait(WATCHED_EVERY):
            if not mongod.running():
                died.set()
                os.kill(os.getpid(), signal.SIGTERM)
                return

    watching = threading.Thread(target=watch, name="mongod-watch", daemon=True)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()
        if died.is_set():
            raise ServerFailed(
                f"the embedded mongod ended: {mongod.said()} (its log: {mongod.log}); start the"
                " shop again, it goes on where it was"
            )


def _stop(child: Child) -> None:
    child.stop(STOPPED_WITHIN)


def _read(data_dir: Path) -> _Record:
    try:
        return _Record(**json.loads((data_dir / "servers.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return _Record()


def _write(data_dir: Path, record: _Record) -> None:
    new = data_dir / "servers.json.new"
    new.write_text(json.dumps(asdict(record), indent=2))
    new.replace(data_dir / "servers.json")
