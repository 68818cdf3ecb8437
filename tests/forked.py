"""Commands of the shop, each a process of its own, without a second of imports for each of them.

A process that has imported the shop forks one that runs a command: with arguments, environment,
folder and streams of its own. `shop` itself, as it is installed, is run by `test_cli`."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from tempfile import TemporaryDirectory

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["shop.cli", "shop.running", "shop.demo", "shop.doctor"])


def run(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, within: float = 120
) -> CompletedProcess[str]:
    """`shop` and these words, from the start to the end."""
    with TemporaryDirectory() as streams:
        told = [Path(streams, name) for name in ("out", "err")]
        process = _forks.Process(target=_become, args=(words, dict(environment), folder, told))
        process.start()
        process.join(within)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutExpired(["shop", *words], within)
        out, err = (stream.read_text() for stream in told)
        return CompletedProcess(["shop", *words], process.exitcode, out, err)


def _become(
    words: Sequence[str], environment: Mapping[str, str], folder: Path, told: list[Path]
) -> None:
    for number, stream in enumerate(told, start=1):
        descriptor = os.open(stream, os.O_WRONLY | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = ["shop", *words]
    from shop.cli import main

    main()
