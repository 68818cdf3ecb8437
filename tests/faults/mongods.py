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
from pymongo.errors import AutoReconnect, PyMongoError

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
            test = ["enableTestCommands=1", "diagnosticDataCollectionEnabled=false"]
            switches = [word for each in test for word in ("--setParameter", each)]
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

    def freeze(self) -> None:
        """It keeps its connections and says nothing."""
        os.kill(self._child.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if no time had passed."""
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
            # While a member still tells the silent one how far it is, which it does for half a
            # minute, the new primary learns only from heartbeats what a majority has.
            "heartbeatIntervalMillis": 100,
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

    @contextmanager
    def alone(self, primary: Node) -> Iterator[None]:
        """The others copy nothing of what the primary writes, until one of them has its place."""
        others = [node for node in self.nodes if node is not primary]
        for node in others:
            node.tell("configureFailPoint", "stopReplProducer", mode="alwaysOn")
        try:
            yield
            # Earlier they would turn to the silent one to copy from, and wait for half a minute.
            until(
                lambda: all(gone(primary, status(node)) for node in others) or None,
                "the others still think it leads",
            )
        finally:
            for node in others:
                node.tell("configureFailPoint", "stopReplProducer", mode="off")

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
        try:
            hellos = [node.tell("hello") for node in self.nodes]
        except AutoReconnect:  # one that takes back what it wrote alone closes its connections
            return False
        leading = [hello["isWritablePrimary"] for hello in hellos]
        return sum(leading) == 1 and all(
            hello["isWritablePrimary"] or hello["secondary"] for hello in hellos
        )


def status(node: Node) -> dict[str, Any]:
    """The members of its set, by address, as a member sees them."""
    return {member["name"]: member for member in node.tell("replSetGetStatus")["members"]}


def gone(primary: Node, seen: dict[str, Any]) -> bool:
    """Whether it is known to be away, and another one has its place."""
    leads = any(member["stateStr"] == "PRIMARY" for member in seen.values())
    return leads and seen[primary.address]["health"] == 0


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
