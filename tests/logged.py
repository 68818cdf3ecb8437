"""What the code under test says in the process' log."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from structlog.testing import capture_logs

Line = dict[str, Any]


@contextmanager
def logged(topic: str) -> Iterator[list[Line]]:
    """The lines whose event begins so, once it is left: others that live longer than a test may
    have something to say meanwhile."""
    found: list[Line] = []
    with capture_logs() as lines:
        yield found
    found += (dict(line) for line in lines if line["event"].startswith(topic))
