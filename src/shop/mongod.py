"""The embedded MongoDB: the only member of its replica set, since only those have a majority."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from shop import child

READY_WITHIN = 60.0  # seconds; after a crash it replays its journal first
_REPLICA_SET = "shop"
_NOT_YET_INITIALIZED = 94


def start(folder: Path, port: int | None) -> tuple[child.Child, int]:
    """Runs it on that folder, at that port if it is free, and waits until it takes writes.

    Raises `ServerFailed`.
    """
    program = child.program("mongod", "fiftyone/db/bin/mongod", "SHOP_MONGODB_URL")
    folder.mkdir(exist_ok=True)

    def command(port: int) -> list[str]:
        where = ["--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(port)]
        small = ["--oplogSize", "512", "--wiredTigerCacheSizeGB", "0.5", "--nounixsocket"]
        quiet = ["--quiet", "--slowms", "1000"]
        quiet += ["--setParameter", "diagnosticDataCollectionEnabled=false"]
        # There is no other member that could take over while this one stops.
        stops = ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=0"]
        return [program, "--replSet", _REPLICA_SET, *where, *small, *quiet, *stops]

    log = folder / "mongod.log"
    running, port = child.start(command, log=log, port=port, answering=process, within=READY_WITHIN)
    try:
        _lead(running, port)
    except BaseException:
        running.stop(0)
        raise
    return running, port


def _lead(running: child.Child, port: int) -> None:
    """Waits until it is the primary, at the address that it has now."""
    me = f"127.0.0.1:{port}"
    deadline = time.monotonic() + READY_WITHIN
    trouble = "it was not elected"
    with _client(port) as client:
        while running.running() and time.monotonic() < deadline:
            try:
                hello = client.admin.command("hello")
                if hello.get("isWritablePrimary") and hello["me"] == me:
                    return
                config = client.admin.command("replSetGetConfig")["config"]
                if config["members"][0]["host"] != me:  # the port it had last time was taken
                    config["members"][0]["host"] = me
                    config["version"] += 1
                    client.admin.command("replSetReconfig", config, force=True)
            except OperationFailure as error:
                trouble = str(error)
                if error.code == _NOT_YET_INITIALIZED:
                    members = [{"_id": 0, "host": me}]
                    with suppress(PyMongoError):  # it was about to read its configuration
                        client.admin.command(
                            "replSetInitiate", {"_id": _REPLICA_SET, "members": members}
                        )
            except PyMongoError as error:
                trouble = str(error)
            time.sleep(child.POLL)
    if not running.running():
        trouble = running.said()
    raise child.ServerFailed(f"mongod takes no writes: {trouble} (its log: {running.log})")


def url(port: int) -> str:
    return f"mongodb://127.0.0.1:{port}/?directConnection=true"


def process(port: int) -> int | None:
    """The process id of the mongod that answers there."""
    if child.free(port):
        return None
    with _client(port) as client:
        try:
            return int(client.admin.command("serverStatus")["pid"])
        except PyMongoError:
            return None


def _client(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient(
        url(port), serverSelectionTimeoutMS=1_000, socketTimeoutMS=20_000, retryReads=False
    )
