"""The embedded servers, each on a data folder of its own."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pymongo import MongoClient
from redis import Redis

from shop import child, embedded
from shop.embedded import ServerFailed, servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the servers' wheels are for Linux")

# Another shop: it says what it uses, and stays until its input ends.
_ANOTHER = """
import dataclasses, json, sys
from pathlib import Path
from shop import embedded
embedded.JOINED_WITHIN = float(sys.argv[3])
try:
    with embedded.servers(Path(sys.argv[1]), **json.loads(sys.argv[2])) as found:
        print(json.dumps(dataclasses.asdict(found)), flush=True)
        sys.stdin.read()
        print("ending", flush=True)
except embedded.ServerFailed as failed:
    print(json.dumps(str(failed)), flush=True)
"""


class Another:
    """Another process on the same data folder."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.found: Any = json.loads(self.says())

    def says(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def end(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()

    def kill(self) -> None:
        self._process.kill()


@contextmanager
def another(data_dir: Path, *, patience: float = 60, **asked: bool) -> Iterator[Another]:
    with subprocess.Popen(
        [sys.executable, "-c", _ANOTHER, str(data_dir), json.dumps(asked), str(patience)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Another(process)
        finally:
            process.kill()


def pids(data_dir: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads((data_dir / "servers.json").read_text())["pids"]
    return found


def ends(pid: int, *, within: float) -> bool:
    """Whether that process ends by then."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([process], [], [], within)[0])
    finally:
        os.close(process)


@contextmanager
def client(url: str | None) -> Iterator[MongoClient[dict[str, Any]]]:
    assert url
    with MongoClient[dict[str, Any]](
        url, w="majority", journal=True, serverSelectionTimeoutMS=10_000
    ) as connected:
        yield connected


def keep(url: str | None, name: str) -> None:
    with client(url) as mongo:
        mongo.test.kept.insert_one({"_id": name})


def kept(url: str | None) -> list[str]:
    with client(url) as mongo:
        return sorted(found["_id"] for found in mongo.test.kept.find())


def test_a_shop_with_nothing_configured_has_a_replica_set_and_a_redis(
    servers: embedded.Servers,
) -> None:
    with client(servers.mongodb_url) as mongo:
        hello = mongo.admin.command("hello")
        assert (hello["setName"], hello["isWritablePrimary"]) == ("shop", True)
        assert mongo.test.kept.insert_one({}).acknowledged
    assert servers.redis_url
    with Redis.from_url(servers.redis_url) as cache:
        assert cache.ping()
        assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "allkeys-lru"}
        assert cache.config_get("save") == {"save": ""}


def test_the_servers_end_with_the_shop_and_keep_their_data_and_port(tmp_path: Path) -> None:
    with servers(tmp_path / "var") as first:
        keep(first.mongodb_url, "order")
        running = pids(tmp_path / "var")
    assert all(ends(pid, within=0) for pid in running.values())
    with servers(tmp_path / "var") as second:
        assert (second.ours, second.mongodb_url) == (True, first.mongodb_url)
        assert kept(second.mongodb_url) == ["order"]


def test_killed_with_its_servers_a_shop_starts_again_with_everything(tmp_path: Path) -> None:
    with another(tmp_path) as shop:
        keep(shop.found["mongodb_url"], "order")
        running = pids(tmp_path)
        shop.kill()
        assert all(ends(pid, within=10) for pid in running.values())
        with servers(tmp_path) as again:
            assert again.ours
            assert kept(again.mongodb_url) == ["order"]


def test_a_start_right_behind_a_kill_succeeds(tmp_path: Path) -> None:
    with another(tmp_path) as shop:
        keep(shop.found["mongodb_url"], "order")
        shop.kill()
        with servers(tmp_path) as again:
            assert kept(again.mongodb_url) == ["order"]


def test_a_mongod_killed_alone_is_started_again_by_the_next_shop(tmp_path: Path) -> None:
    with servers(tmp_path) as first:
        keep(first.mongodb_url, "order")
        mongod = pids(tmp_path)["mongodb"]
        os.kill(mongod, signal.SIGKILL)
        assert ends(mongod, within=10)
    with servers(tmp_path) as again:
        assert kept(again.mongodb_url) == ["order"]


def test_a_port_taken_since_moves_the_replica_set_to_another(tmp_path: Path) -> None:
    with servers(tmp_path) as first:
        keep(first.mongodb_url, "before")
    port = json.loads((tmp_path / "servers.json").read_text())["ports"]["mongodb"]
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        with servers(tmp_path) as moved:
            assert moved.mongodb_url != first.mongodb_url
            keep(moved.mongodb_url, "after")
            assert kept(moved.mongodb_url) == ["after", "before"]


def test_a_second_shop_uses_the_servers_of_the_first(tmp_path: Path) -> None:
    with servers(tmp_path) as ours:
        with another(tmp_path) as guest:
            assert guest.found == {
                "mongodb_url": ours.mongodb_url,
                "redis_url": ours.redis_url,
                "ours": False,
            }
            guest.end()
            assert guest.says() == "ending\n"
        keep(ours.mongodb_url, "still there")
        assert kept(ours.mongodb_url) == ["still there"]


def test_a_passing_command_waits_at_its_end_for_those_that_use_its_servers(tmp_path: Path) -> None:
    with another(tmp_path) as owner:
        with servers(tmp_path) as guest:
            assert not guest.ours
            owner.end()
            assert owner.says() == "ending\n"
            # Without the wait it takes a second until both are gone.
            assert not ends(pids(tmp_path)["redis"], within=2)
            keep(guest.mongodb_url, "unharmed")
        assert ends(owner.pid, within=20)


def test_a_shop_that_stays_does_not_build_on_a_passing_command(tmp_path: Path) -> None:
    with servers(tmp_path), another(tmp_path, stay=True, patience=0.5) as staying:
        assert f"process {os.getpid()}" in staying.found
        assert "SHOP_DATA_DIR" in staying.found


def test_a_shop_that_stays_is_host_to_all_and_ends_without_waiting(tmp_path: Path) -> None:
    with another(tmp_path, stay=True) as owner, another(tmp_path, stay=True) as guest:
        assert (owner.found["ours"], guest.found["ours"]) == (True, False)
        owner.end()
        assert ends(owner.pid, within=20)


def test_only_the_wanted_server_is_started(tmp_path: Path) -> None:
    with servers(tmp_path, mongodb=False) as found:
        assert found.mongodb_url is None
        assert found.redis_url
        assert list(pids(tmp_path)) == ["redis"]


def test_a_server_the_running_shop_has_elsewhere_is_asked_for_by_its_setting(
    tmp_path: Path,
) -> None:
    with servers(tmp_path, mongodb=False), another(tmp_path) as guest:
        assert "SHOP_MONGODB_URL" in guest.found


def test_with_both_servers_elsewhere_nothing_is_written(tmp_path: Path) -> None:
    with servers(tmp_path / "var", mongodb=False, redis=False) as found:
        assert found == embedded.Servers(None, None, ours=False)
    assert not (tmp_path / "var").exists()


def test_the_servers_know_none_of_the_shops_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_SECRET", "s3cret")
    with servers(tmp_path, redis=False):
        environment = Path(f"/proc/{pids(tmp_path)['mongodb']}/environ").read_text()
    assert "LC_ALL" in environment
    assert "s3cret" not in environment


def refusal(data_dir: Path, **asked: bool) -> str:
    with pytest.raises(ServerFailed) as failed, servers(data_dir, **asked):
        pass
    message = str(failed.value)
    assert "\n" not in message
    return message


def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    assert "SHOP_DATA_DIR" in refusal(tmp_path / "var")


def test_a_damaged_data_folder_is_refused_in_mongods_words(tmp_path: Path) -> None:
    with servers(tmp_path, redis=False):
        pass
    (tmp_path / "mongodb" / "WiredTiger.turtle").write_text("damaged")
    message = refusal(tmp_path)
    assert "mongod did not start" in message
    assert "WiredTiger" in message
    assert str(tmp_path / "mongodb" / "mongod.log") in message


def test_a_program_that_was_not_found_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finds_nothing(_: str) -> None:
        return None

    monkeypatch.setattr("importlib.util.find_spec", finds_nothing)
    monkeypatch.setenv("PATH", "")
    message = refusal(tmp_path, redis=False)
    assert message.startswith("mongod was not found")
    assert "docker compose up" in message
    assert "SHOP_MONGODB_URL" in message


def test_a_program_on_the_path_serves_where_there_is_no_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "mongod"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert child.program("mongod", "no_such_wheel/mongod", "SHOP_MONGODB_URL") == str(program)


def test_a_server_that_dies_at_once_is_told_by_its_last_words(tmp_path: Path) -> None:
    def command(port: int) -> list[str]:
        return ["/bin/sh", "-c", "echo 'cannot open shared object file: libx.so'; exit 7"]

    with pytest.raises(ServerFailed, match=r"sh did not start: cannot open .* libx\.so"):
        child.start(command, log=tmp_path / "log", port=None, answering=nobody, within=10)


def test_a_server_that_a_full_disk_silences_is_told_by_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> Any:
        return SimpleNamespace(free=0)

    def command(port: int) -> list[str]:
        return ["/bin/false"]

    monkeypatch.setattr("shutil.disk_usage", full)
    with pytest.raises(ServerFailed, match="no space left on the disk"):
        child.start(command, log=tmp_path / "log", port=None, answering=nobody, within=10)


def test_a_server_that_never_answers_is_ended_and_told(tmp_path: Path) -> None:
    def command(port: int) -> list[str]:
        return ["/bin/sh", "-c", f"echo $$ > {tmp_path}/pid; exec sleep 60"]

    with pytest.raises(ServerFailed, match="sh did not start: nothing"):
        child.start(command, log=tmp_path / "log", port=None, answering=nobody, within=0.3)
    with suppress(FileNotFoundError):
        assert ends(int((tmp_path / "pid").read_text()), within=5)


def nobody(port: int) -> int | None:
    return None


def in_a_thread(work: Callable[[], object]) -> BaseException | None:
    caught: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            caught.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return caught[0] if caught else None


def test_a_server_is_never_tied_to_a_thread_that_may_end(tmp_path: Path) -> None:
    error = in_a_thread(lambda: child.Child(["/bin/true"], tmp_path / "log"))
    assert isinstance(error, RuntimeError)
    assert "main thread" in str(error)
