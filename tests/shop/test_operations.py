"""What an operator is given is true: the dashboard and the alerts ask for what there is, and the
commands that the pages tell them to type can be typed."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families as read_text

import bus.metrics
import shop.figures
import shop.metrics
from bus.metrics import REGISTRY
from bus.partitions import PARTITIONS
from shop.cli import app
from tests.shop.clients import Running

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGE = (DOCS / "operations.md").read_text()
BOARD: Any = json.loads((DOCS / "grafana.json").read_text())
RULES: Any = yaml.safe_load((DOCS / "alerts.yaml").read_text())["groups"][0]["rules"]

OF_PROMETHEUS = {"job", "instance", "le", "pid"}
"""Labels that our instruments do not have themselves."""

KINDS = {"histogram": ("_bucket", "_sum", "_count"), "counter": ("_total",), "gauge": ("",)}


def panels() -> list[dict[str, Any]]:
    return [panel for panel in BOARD["panels"] if panel["type"] != "row"]


def questions() -> Iterator[Any]:
    """Every PromQL expression."""
    for panel in panels():
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")
    for rule in RULES:
        yield pytest.param(rule["expr"], id=rule["alert"])


ASKED = re.compile(r"\b((?:storefold|process|up)(?:_\w+)?)\b(\{[^}]*\})?")
LABEL = re.compile(r'(\w+)(=~|=)"([^"]*)"')


@pytest.fixture(scope="session")
async def shown(shop: Running) -> dict[str, list[dict[str, str]]]:
    """Every sample's labels on a running shop, by the names that may be asked for."""
    answer = await shop.with_key(None).get("/metrics")
    names: dict[str, list[dict[str, str]]] = {"up": []}
    for family in read_text(answer.text):
        for ending in KINDS[family.type]:
            # process_cpu_seconds_total is the name of its family too.
            name = family.name.removesuffix("_total") + ending
            found = [each.labels for each in family.samples if each.name == name]
            names[name] = found
    for context in shop.platform.contexts.values():  # whatever has happened so far
        names["storefold_events_total"] += [{"type": each} for each in context.log.codec.types]
    names["storefold_http_request_seconds_bucket"] += [
        {"route": row.path} for row in shop.endpoints
    ]
    return names


def labels_of(name: str) -> set[str]:
    """The labels that an instrument has, whatever it has counted so far."""
    stem = re.sub("_(total|bucket|sum|count)$", "", name)
    instruments = {each._name: each for each in known()}
    return set(instruments[stem]._labelnames) if stem in instruments else set()


def known() -> Iterator[Any]:
    for module in (bus.metrics, shop.metrics, shop.figures):
        for each in vars(module).values():
            if isinstance(each, Counter | Gauge | Histogram):
                yield each


@pytest.mark.parametrize("question", list(questions()))
async def test_what_is_asked_for_is_there(
    question: str, shown: dict[str, list[dict[str, str]]]
) -> None:
    asked = ASKED.findall(re.sub(r"\bby \([^)]*\)", "", question))
    assert asked
    for name, selector in asked:
        assert name in shown, f"there is no {name}"
        for label, operator, value in LABEL.findall(selector):
            assert label in labels_of(name) | OF_PROMETHEUS, f"{name} has no {label}"
            if "$" not in value and label not in ("status", "method"):
                assert matched(name, label, operator, value, shown), f"no {label} {value}"
    for grouped in re.findall(r"\bby \(([^)]*)\)", question):
        of_all = set.union(*(labels_of(name) for name, _ in asked)) | OF_PROMETHEUS
        assert set(re.split(r",\s*", grouped)) <= of_all
    assert question.count("(") == question.count(")")


def matched(
    name: str, label: str, operator: str, value: str, shown: dict[str, list[dict[str, str]]]
) -> bool:
    """Whether the label can have such a value; each of the ways of an expression has to match."""
    values = {labels[label] for labels in shown[name] if label in labels}
    if operator == "=":
        return value in values
    head, ways, tail = re.split(r"[()]", value) if "(" in value else ("", value, "")
    return all(
        any(re.fullmatch(head + way + tail, each) for each in values) for way in ways.split("|")
    )


def test_the_dashboard_can_be_imported_anywhere() -> None:
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert {each["name"] for each in BOARD["templating"]["list"]} == {"datasource", "job"}
    for panel in panels():
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["title"]
        assert panel["description"]
        for target in panel["targets"]:
            assert 'job=~"$job"' in target["expr"]
            named_ = set(re.findall(r"{{(\w+)}}", target["legendFormat"]))
            assert named_ <= set(re.findall(r"\w+", target["expr"]))


def test_no_panel_covers_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_every_metric_is_on_the_page_and_on_the_dashboard() -> None:
    on_board = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    table = PAGE.partition("## What is measured")[2]
    for one in known():
        name = one._name + ("_total" if isinstance(one, Counter) else "")
        assert f"| `{name}`" in table, f"{name} is not in docs/operations.md"
        assert one._documentation in table, f"docs/operations.md tells otherwise of {name}"
        assert re.search(rf"\b{name}(_bucket|_sum|_count)?\b", on_board), f"no panel shows {name}"
    assert len(list(known())) == len({each.name for each in REGISTRY.collect()})


def test_of_each_alert_the_page_says_what_to_do() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \|", PAGE, flags=re.MULTILINE)
    assert rows == [rule["alert"] for rule in RULES]
    (workers,) = [rule["expr"] for rule in RULES if rule["alert"] == "NobodyWorks"]
    assert workers.endswith(f"< {PARTITIONS}")
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]


def commands() -> Iterator[Any]:
    """Every command that a page quotes, in a block or in a line."""
    for page in sorted([*DOCS.glob("*.md"), DOCS / "grafana.json"]):
        text = page.read_text()
        blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE))
        lines = re.findall(r"^(shop (?:\\\n|[^\n#])+)", blocks, flags=re.MULTILINE)
        prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
        quoted = re.findall(r"`(shop [^`]+)`", prose)
        for line in dict.fromkeys([*lines, *quoted]):
            yield pytest.param(line.strip(), id=f"{page.stem}: {line.strip()[:50]}")


@pytest.mark.parametrize("line", list(commands()))
def test_a_command_that_a_page_quotes_can_be_typed(line: str) -> None:
    words = shlex.split(line.replace("\\\n", " ").replace("...", ""))[1:]
    command: Any = typer.main.get_command(app)
    while words and (inner := getattr(command, "commands", {}).get(words[0].strip("`"))):
        command, words = inner, words[1:]
    if hasattr(
        command, "commands"
    ):  # a group of commands: `shop orders`, or `shop orders list|show`
        for each in words[0].split("|") if words else ():
            assert each in command.commands, f"there is no {each}"
        return
    options = {option for parameter in command.params for option in parameter.opts}
    for word in words:
        if word.startswith("-"):
            for each in word.strip("[]").partition("=")[0].split("|"):
                assert each in options, f"`shop {command.name}` has no {each}"


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: page.stem)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    text = page.read_text()
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for file, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        assert not file or (DOCS / file).exists(), file
        assert not anchor or file or anchor in anchors, anchor
