"""Processes that serve: started, heard when they are ready, ended or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tests import forked

READY_WITHIN = 60.0
STOPPED_WITHIN = 30.0


class Process:
    """A process that says when it is ready; what it says on stdout is kept."""

    def __init__(
        self, process: subprocess.Popen[str] | forked.Process, environment: Mapping[str, str]
    ) -> None:
        self._process = process
        self.pid = self._process.pid
        self.environment = environment
        self.address = ""
        self.complaints: list[str] = []
        self._told: list[str] = []
        self._news = threading.Condition()
        self._ready = threading.Event()
        self._listeners = [
            threading.Thread(target=listener, daemon=True)
            for listener in (self._listen, self._listen_to_complaints)
        ]
        for listener in self._listeners:
            listener.start()

    @classmethod
    def of_command(
        cls, command: list[str], environment: Mapping[str, str], folder: Path
    ) -> Process:
        """A program, as everybody starts it."""
        started = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a signal to all of it reaches none of us
        )
        return cls(started, environment)

    @classmethod
    def of_module(
        cls, module: str, words: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> Process:
        """`module.main()` with these words: the same, and sooner."""
        return cls(forked.Process(module, words, environment, folder), environment)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._told.append(line)
                self._news.notify_all()

    def _listen_to_complaints(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.complaints.append(line)
            if line.startswith("ready http://"):
                self.address = line.split()[1]
                self._ready.set()
        self._ready.set()

    def until_ready(self) -> None:
        """Wait for `ready http://...` on stderr."""
        self._ready.wait(READY_WITHIN)
        assert self.address, f"it did not get ready: {''.join(self.complaints)[-2000:]}"

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def says(self, words: str) -> str:
        """All that it has said on stdout once these words are among it."""
        with self._news:
            told = self._news.wait_for(
                lambda: words in (said := "".join(self._told)) and said, READY_WITHIN
            )
        assert told, f"{words!r} is not in {self._told}"
        return str(told)

    def kill(self) -> None:
        """Kill -9, and see it gone."""
        self._process.kill()
        self._process.wait(STOPPED_WITHIN)

    def end(self) -> None:
        """Interrupt it and all that it started, as Ctrl-C does, and see it end."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGINT)
        try:
            self._process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            raise
        finally:
            for listener in self._listeners:
                listener.join(STOPPED_WITHIN)
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                stream.close()


@contextmanager
def running(process: Process) -> Iterator[Process]:
    """A process, once it is ready and until it is not needed any more."""
    try:
        process.until_ready()
        yield process
    finally:
        process.end()
