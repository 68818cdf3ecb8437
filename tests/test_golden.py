"""Streams as every release wrote them replay to what they led to then, for ever.

Each file under `tests/golden/` holds the events of one stream as they stand in the log, and what
they lead to. A file is never changed or removed; a new shape of history is a new file.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.golden.shapes import SHAPES
from tests.golden.streams import FOLDER, SORTS, folded, load, replayed

FILES = sorted(FOLDER.glob("*/*.json"))


def agrees(found: Any, golden: Any) -> bool:
    """Whether all that was said then is said now; a later release may say more."""
    if isinstance(golden, dict):
        return isinstance(found, dict) and all(
            agrees(found.get(key), value) for key, value in golden.items()
        )
    if isinstance(golden, list):
        return (
            isinstance(found, list)
            and len(found) == len(golden)
            and all(agrees(one, then) for one, then in zip(found, golden, strict=True))
        )
    return bool(found == golden)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_golden_stream_leads_to_what_it_led_to(path: Path) -> None:
    golden = load(path)
    found = replayed(SORTS[path.parent.name], golden["events"])
    assert agrees(found, golden["leads_to"]), (found, golden["leads_to"])


def test_every_shape_has_its_golden_stream() -> None:
    """Where one is missing: `python -m tests.golden.streams`."""
    wanted = {FOLDER / name / f"{shape}.json" for name, of in SHAPES.items() for shape in of}
    assert wanted <= set(FILES)


@pytest.mark.parametrize("name", SORTS)
def test_every_event_stands_in_a_golden_stream(name: str) -> None:
    written = {
        event["type"]
        for path in FILES
        if path.parent.name == name
        for event in load(path)["events"]
    }
    assert {event.type_name for event in SORTS[name].events} <= written


KEPT = {name: sort for name, sort in SORTS.items() if sort.kind.shape is not None}
KEPT_FILES = [path for path in FILES if path.parent.name in KEPT]


@pytest.mark.parametrize("path", KEPT_FILES, ids=lambda path: path.stem)
def test_a_state_that_is_kept_comes_back_as_it_was(path: Path) -> None:
    sort = KEPT[path.parent.name]
    shape, state = sort.kind.shape, folded(sort, load(path)["events"])
    assert shape is not None
    assert shape.load(shape.dump(state)) == state


@pytest.mark.parametrize("name", KEPT)
def test_nothing_that_is_kept_is_about_anybody(name: str) -> None:
    assert not [event for event in KEPT[name].events if event.whose]


def test_what_no_longer_agrees_is_noticed() -> None:
    assert agrees({"a": 1, "b": [{"c": 2}], "new": 3}, {"a": 1, "b": [{"c": 2}]})
    assert not agrees({"a": 1}, {"a": 1, "b": 2})
    assert not agrees({"a": [1, 2]}, {"a": [1]})
    assert not agrees({"a": "1"}, {"a": 1})
