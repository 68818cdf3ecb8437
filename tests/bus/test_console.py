"""What people see of work that takes long."""

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from typer import BadParameter

from bus import console
from bus.console import ago


def test_work_that_takes_long_shows_how_much_is_done_how_fast_and_for_how_long_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(console, "stderr", Console(file=screen, force_terminal=True, width=200))
    with console.progress() as bars:
        task = bars.add_task("rows", total=4000)
        for done in (1000, 2000):
            bars.update(task, completed=done)
        bars.refresh()
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", screen.getvalue())
    assert re.search(r"rows .* 2000/4000 [\d,]+/s 0:00:\d\d", shown)


def test_nothing_is_drawn_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.StringIO()
    monkeypatch.setattr(console, "stderr", Console(file=file))
    with console.progress() as bars:
        bars.update(bars.add_task("rows", total=2), completed=1)
    assert file.getvalue() == ""


def test_a_moment_is_a_time_or_so_long_ago() -> None:
    now = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert ago("2d", now) == now - timedelta(days=2)
    assert ago("30min", now) == now - timedelta(minutes=30)
    assert ago("2026-11-22T12:00", now) == now - timedelta(days=1)
    assert ago("2026-11-22T12:00+02:00", now) == now - timedelta(days=1, hours=2)
    with pytest.raises(BadParameter, match="2w is no time"):
        ago("2w", now)


def test_what_somebody_wrote_moves_nothing_on_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "nice\x1b]0;mine\x07 mug\x9b2J\r\nreally"
    console.show([{"id": 1, "reason": words}], ["id", "reason"], as_json=False)
    shown = capsys.readouterr().out
    assert r"nice\x1b]0;mine\x07 mug\x9b2J\r\nreally" in shown
    assert len(shown.splitlines()) == 2
    screen = io.StringIO()
    monkeypatch.setattr(console, "stdout", Console(file=screen, highlight=False))
    console.show_one({"reason": words}, as_json=False)
    assert r"nice\x1b]0;mine\x07 mug\x9b2J\r" in screen.getvalue()
    assert screen.getvalue().endswith("\nreally\n")
