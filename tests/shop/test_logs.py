"""What the process says of itself: few lines, readable, and no secret in them."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from pymongo import MongoClient
from pymongo.errors import ServerSelectionTimeoutError

from bus.faults import told
from shop.logs import QUIET, Seldom


class Clock:
    """A time that a test moves on."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def said(seldom: Seldom, event: str, method: str = "warning") -> dict[str, object] | None:
    try:
        return dict(seldom(None, method, {"event": event}))
    except structlog.DropEvent:
        return None


def test_a_warning_is_said_once_in_a_while_with_the_number_of_those_kept_back() -> None:
    clock = Clock()
    seldom = Seldom(clock)
    assert said(seldom, "feed.cannot_read") == {"event": "feed.cannot_read"}
    assert [said(seldom, "feed.cannot_read") for _ in range(50)] == [None] * 50
    assert said(seldom, "cache.away") == {"event": "cache.away"}
    clock.at += QUIET
    assert said(seldom, "feed.cannot_read") == {"event": "feed.cannot_read", "kept_back": 50}
    clock.at += QUIET
    assert said(seldom, "feed.cannot_read") == {"event": "feed.cannot_read"}


def test_an_error_is_always_said() -> None:
    seldom = Seldom(Clock())
    assert all(said(seldom, "request.failed", "error") for _ in range(3))


def test_of_a_drivers_error_the_first_clause_is_told() -> None:
    url = "mongodb://user:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=50"
    with (
        MongoClient[dict[str, object]](url) as client,
        pytest.raises(ServerSelectionTimeoutError) as caught,
    ):
        client.admin.command("ping")
    assert "Topology Description" in str(caught.value)
    line = told(caught.value)
    assert line == "127.0.0.1:1: [Errno 111] Connection refused"


_FAILS = """
import sys
from collections.abc import Iterator
from pathlib import Path
import structlog
from shop import logs
sys.stderr.isatty = lambda: bool(int(sys.argv[1]))
logs.set_up("WARNING")
log = structlog.get_logger("x")
def work(secret):
    raise KeyError("what happened: " + secret)
try:
    work("hunter2")
except KeyError as error:
    log.error("request.failed", exc_info=error)
log.info("not said")
"""


@pytest.mark.parametrize("terminal", [True, False])
def test_a_fault_is_told_with_its_place_and_without_the_values_there(terminal: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _FAILS.replace('work("hunter2")', "work(open(0).read())"),
         str(int(terminal))],
        input="hunter2", capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.stdout == ""
    assert "KeyError" in done.stderr
    assert "in work" in done.stderr
    assert "hunter2" not in done.stderr
    assert "not said" not in done.stderr
    if not terminal:
        (line,) = done.stderr.splitlines()
        assert json.loads(line)["event"] == "request.failed"


def test_who_cannot_write_the_log_goes_on_without_it() -> None:
    fails = _FAILS.replace("open(0).read()", "'x'") + "print('went on')"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-c", fails, "0"],
            stdout=subprocess.PIPE, stderr=full, text=True, timeout=30,
        )  # fmt: skip
    assert done.stdout == "went on\n"


SRC = Path(__file__).parents[2] / "src"

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}

PERSONAL = {"path", "url", "query", "body", "stream", "buyer_id", "email", "phone", "token", "name"}
"""Fields that have somebody's data in them, or may."""


def log_lines() -> Iterator[tuple[str, ast.Call]]:
    """Every place in this project that says something in the log."""
    for file in SRC.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name("log"), attr=level)) if (
                    level in LEVELS
                ):
                    yield f"{file.relative_to(SRC)}:{node.lineno}", node


def test_no_line_is_written_that_may_hold_somebodys_data() -> None:
    lines = list(log_lines())
    assert len(lines) > 30
    for where, call in lines:
        assert isinstance(call.args[0], ast.Constant | ast.Name), f"{where}: an event is a name"
        for field in call.keywords:
            assert field.arg not in PERSONAL, f"{where}: {field.arg}"
            said = ast.unparse(field.value)
            assert not re.match(r"(repr|str)\(|f['\"]", said), f"{where}: tell an error with `told`"
