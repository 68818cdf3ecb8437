"""Commands and servers of the shop, each a process of its own, without a second of imports each.

A process that has imported the shop forks one that becomes what is wanted: with arguments,
environment, folder, session and streams of its own. `shop` itself, as it is installed, is run by
`test_cli`, `test_readme`, `test_container`, and wherever a shop has workers."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.preloaded"])

CLI = "shop.cli"


def run(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, within: float = 120
) -> CompletedProcess[str]:
    """`shop` and these words, from the start to the end."""
    with TemporaryDirectory() as streams:
        told = [Path(streams, name) for name in ("out", "err")]
        process = _forks.Process(target=_command, args=(words, dict(environment), folder, told))
        process.start()
        process.join(within)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(["shop", *words], within)
        out, err = (stream.read_text() for stream in told)
        return CompletedProcess(["shop", *words], process.exitcode, out, err)


class Process:
    """A server, as `subprocess.Popen` would have started it with text streams: `module.main()` with
    these words."""

    def __init__(
        self, module: str, words: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self._command = [module, *words]
        pipes = [_forks.Pipe(duplex=False) for _ in range(2)]
        ends = [writing for _, writing in pipes]
        self._process = _forks.Process(
            target=_server, args=(module, words, dict(environment), folder, ends)
        )
        self._process.start()
        self.pid: int = self._process.pid or 0
        self.stdout, self.stderr = (os.fdopen(os.dup(reading.fileno())) for reading, _ in pipes)
        for end in (end for pipe in pipes for end in pipe):
            end.close()

    def poll(self) -> int | None:
        """Its exit code, if it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Its exit code, once it has ended; raises `TimeoutExpired`."""
        self._process.join(timeout)
        if (code := self._process.exitcode) is None:
            raise TimeoutExpired(self._command, timeout)
        return code

    def send_signal(self, number: int) -> None:
        """Tell it something, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill -9."""
        self.send_signal(signal.SIGKILL)


def _server(
    module: str,
    words: Sequence[str],
    environment: Mapping[str, str],
    folder: Path,
    streams: Sequence[Connection],
) -> None:
    for number, stream in enumerate(streams, start=1):
        os.dup2(stream.fileno(), number)
        stream.close()
    os.setsid()
    _become(module, words, environment, folder)


def _command(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, told: Sequence[Path]
) -> None:
    for number, stream in enumerate(told, start=1):
        descriptor = os.open(stream, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    _become(CLI, words, environment, folder)


def _become(
    module: str, words: Sequence[str], environment: Mapping[str, str], folder: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["shop", *words]
    importlib.import_module(module).main()
