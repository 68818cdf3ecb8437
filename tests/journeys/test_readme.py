"""Every command of the README does what the README says."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from shop.settings import Settings, listing
from tests import forked
from tests.journeys.processes import Process, running

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8000"

MAKES = "run"
"""What `make` is really told; the rest of its targets would take minutes, or run this very test."""

SERVES = ".venv/bin/shop serve "
"""What `make run` has done already by then, in other words."""


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def commands() -> list[str]:
    """Every command of every shell block, without its remark."""
    text = "".join(blocks("sh"))
    # A command goes on after a backslash, and inside quotes.
    found = re.findall(r"(?:'[^']*'|\\\n|[^\n])+", text)
    return [re.sub(r"\s+# .*", "", command).strip() for command in found]


COMMANDS = commands()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """`make run`, on a port and a folder of its own."""
    ready = subprocess.run(["make", "--question", ".venv/.installed"], cwd=ROOT)
    if ready.returncode:
        pytest.skip("the README begins with `make install`: run it first")
    assert "make run" in COMMANDS
    # Nor must the `make` that runs the tests tell this one what to do.
    foreign = ("SHOP_", "MAKE", "MFLAGS")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "PORT": "0",
        "SHOP_DATA_DIR": str(tmp_path_factory.mktemp("readme")),
    }
    with running(Process.of_command(["make", MAKES], environment, ROOT)) as process:
        yield process
    (ROOT / "plan-2030-01-01.geojson").unlink(missing_ok=True)


def run(command: str, shop: Process) -> str:
    """What a command prints, typed into a shell beside the running shop."""
    environment = {**shop.environment, "KEY": printed_key(shop)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command.replace(ADDRESS, shop.address)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def printed_key(shop: Process) -> str:
    """The key that `make run` prints."""
    told = shop.says("look around")
    (key,) = set(re.findall(r"^ +(sk_\S+)$", told, flags=re.MULTILINE))
    return str(key)


def shape(value: Any) -> Any:
    """What an answer looks like, whatever its ids and times are."""
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    return re.sub(r"[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z", "…", str(value))


def test_the_first_command_that_is_shown_places_an_order_and_is_answered_as_shown(
    shop: Process,
) -> None:
    order = next(command for command in COMMANDS if command.startswith("curl"))
    answer, shown = json.loads(run(order, shop)), json.loads(blocks("json")[0])
    # Somebody may have been found for it already.
    assert answer.pop("fulfillment_status") in (shown.pop("fulfillment_status"), "scheduled")
    assert answer.pop("version") >= shown.pop("version")
    assert answer.keys() - shown.keys() <= {"slot"}
    answer.pop("slot", None)
    assert shape(answer) == shape(shown)


def test_the_curl_that_make_run_prints_places_an_order(shop: Process) -> None:
    told = shop.says("look around")
    printed = re.search(r"^  curl .*?^$", told, flags=re.DOTALL | re.MULTILINE)
    assert printed
    assert json.loads(run(printed[0], shop))["status"] == "confirmed"


def test_every_other_command_runs_on_that_shop(shop: Process) -> None:
    ran = 0
    for command in COMMANDS:
        match command.split()[0]:
            case "make":
                target = command.split()[1]
                planned = ["make", "--dry-run", "--always-make", target]
                assert subprocess.run(planned, cwd=ROOT, capture_output=True).returncode == 0
            case "curl":
                assert json.loads(run(command, shop))
            case "docker":
                composed(shlex.split(command))
            case _ if command.startswith(SERVES):
                words = shlex.split(command)[1:]
                assert run(f"{SERVES} --help", shop)
                assert words == ["serve", "--port", "8000"]
            case ".venv/bin/shop":
                words = shlex.split(command.replace("\\\n", " "))[1:]
                done = forked.run(words, shop.environment, ROOT)
                assert done.returncode == 0, f"{command}\n{done.stderr}"
            case other:
                raise AssertionError(f"no test knows how to run {other}: {command}")
        ran += 1
    assert ran >= 15


def composed(words: list[str]) -> None:
    """A command of Docker, as far as it can be judged without one; `test_container` says more."""
    assert words[:3] == ["docker", "compose", "up"]
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    (scaled,) = [word.partition("=")[0] for word in words if "=" in word]
    assert scaled in services
    assert services[scaled]["build"] == "."


def test_the_settings_that_are_shown_are_the_settings_there_are() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    shown: set[str] = set()
    for row in re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE):
        names = re.findall(r"`(\w+)`", row)
        stem = names[0].rpartition("_")[0]
        shown |= {name if name.startswith("SHOP_") else stem + name for name in names}
    known = {name for name, _ in listing(Settings(_env_file=None))}
    assert shown == known


def test_what_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_code_that_a_decision_names_is_there() -> None:
    for page in (ROOT / "docs" / "adr").glob("*.md"):
        for path in re.findall(r"`((?:src|tests|docs)/[\w/.]+)`", page.read_text()):
            assert (ROOT / path).exists(), f"{page.name} names {path}"
