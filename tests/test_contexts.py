"""What every context says of itself."""

import importlib
import re
from typing import Any

import pytest

from bus.messages import Event, Message, Request

CONTEXTS = ["ordering", "catalog", "delivery", "maps", "payment"]


def messages(context: str, kind: type[Message]) -> set[str]:
    """The names of the messages of a kind in a context's contract."""
    contract: Any = importlib.import_module(f"{context}.contract")
    return {
        name
        for name, found in vars(contract).items()
        if isinstance(found, type) and issubclass(found, kind) and "type_name" in vars(found)
    }


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_context_begins_with_its_purpose_its_glossary_and_its_messages(context: str) -> None:
    said = importlib.import_module(context).__doc__ or ""
    assert re.match(r"[^\n]+\.\n", said), "its purpose, in one sentence"
    assert "Glossary" in said
    comes_in, _, goes_out = said.partition("\nOut: ")
    assert messages(context, Request) <= set(re.findall(r"\w+", comes_in))
    assert messages(context, Event) <= set(re.findall(r"\w+", goes_out))
