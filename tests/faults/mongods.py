"""Real mongods with faults to switch on: one node, or a set of three, on loopback."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from shop import child, mongod

T = TypeVar("T")

READY_WITHIN = 60.0
ELECTION = 2.0
"""Seconds without a word from the primary after which the others elect a new one."""

_SET = "faults"


class Node:
    """One member of a set."""

    def __init__(self, folder: Path) -> None:
        program = child.program("mongod", "fiftyone/db/bin/mongod", "PATH")
        folder.mkdir(parents=True)

        def command(port: int) -> list[str]:
            where = ["--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port)]
            small = ["--oplogSize", "100", "--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"]
            parameters = [
                "enableTestCommands=1",
                "diagnosticDataCollectionEnabled=false",
                # Who copies from a member that has fallen silent turns to another one, as quickly
                # as a new primary is elected: else no majority has what that one writes.
                "oplogInitialFindMaxSeconds=2",
                "oplogNetworkTimeoutBufferSeconds=1",
            ]
            switches = [word for each in parameters for word in ("--setParameter", each)]
            return [program, "--replSet", _SET, "--quiet", *where, *small, *switches]

        self._child, self.port = child.start(
            command,
            log=folder / "mongod.log",
            port=None,
            answering=mongod.process,
            within=READY_WITHIN,
        )
        self.address = f"127.0.0.1:{self.port}"

    def tell(self, command: str, value: Any = 1, **fields: Any) -> dict[str, Any]:
        """What this very node answers to an administrator's command."""
        with MongoClient[dict[str, Any]](
            mongod.url(self.port), serverSelectionTimeoutMS=2_000, socketTimeoutMS=20_000
        ) as client:
            return client.admin.command(command, value, **fields)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It keeps its connections and says nothing; then it goes on as if no time had passed."""
        os.kill(self._child.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._child.pid, signal.SIGCONT)

    def stop(self) -> None:
        """It is not needed any more, and nor is what it holds."""
        self._child.stop(0)


class Mongods:
    """The members of a replica set, and what can be done to them."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes
        hosts = ",".join(node.address for node in nodes)
        self.url = f"mongodb://{hosts}/?replicaSet={_SET}"

    def initiate(self) -> None:
        """Make them a set that takes writes."""
        members = [{"_id": n, "host": node.address} for n, node in enumerate(self.nodes)]
        quick = {
            "electionTimeoutMillis": int(ELECTION * 1000),
            "heartbeatIntervalMillis": 500,
            "heartbeatTimeoutSecs": 2,
        }
        config = {"_id": _SET, "members": members, "settings": quick}
        self.nodes[0].tell("replSetInitiate", config)
        self.complete()

    def complete(self) -> None:
        """Wait until one member leads and the others follow."""
        until(lambda: self._complete() or None, "the set is not complete")

    def primary(self) -> Node:
        """The member that takes writes, by the word of a member: waited for, if need be."""
        return until(self._primary, "no member is the primary")

    def step_down(self, seconds: int) -> None:
        """Have the primary step down at once, and not be elected again for that many seconds."""
        self.primary().tell("replSetStepDown", seconds, force=True, secondaryCatchUpPeriodSecs=0)

    def fail_command(self, mode: Any, **data: Any) -> None:
        """Set what becomes of the commands named in `failCommands`, on all nodes."""
        for node in self.nodes:
            node.tell("configureFailPoint", "failCommand", mode=mode, data=data)

    def _primary(self) -> Node | None:
        for node in self.nodes:
            with suppress(PyMongoError):
                if node.tell("hello")["isWritablePrimary"]:
                    return node
        return None

    def _complete(self) -> bool:
        hellos = [node.tell("hello") for node in self.nodes]
        leading = [hello["isWritablePrimary"] for hello in hellos]
        return sum(leading) == 1 and all(
            hello["isWritablePrimary"] or hello["secondary"] for hello in hellos
        )


def until(look: Callable[[], T | None], trouble: str, within: float = READY_WITHIN) -> T:
    """What `look` sees, as soon as it is something."""
    deadline = time.monotonic() + within
    while (seen := look()) is None:
        assert time.monotonic() < deadline, f"{trouble} after {within:.0f} s"
        time.sleep(child.POLL)
    return seen


@contextmanager
def mongods(folder: Path, members: int) -> Iterator[Mongods]:
    """A replica set of so many members, for as long as it is needed."""
    with ExitStack() as stack:
        nodes = []
        for number in range(members):
            nodes.append(Node(folder / f"mongod-{number}"))
            stack.callback(nodes[-1].stop)
        running = Mongods(nodes)
        running.initiate()
        yield running
