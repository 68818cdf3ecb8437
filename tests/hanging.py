"""Servers that hang."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def hanging(pid: int) -> Iterator[None]:
    """A process that keeps its connections and says nothing."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
