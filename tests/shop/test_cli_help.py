"""What the command line says of itself: all that a newcomer needs, and what programs rely on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from shop.cli import app
from tests.shop.commands import SHOP

LASTING = ("serve", "work")
"""They answer nothing: they run until they are told to end."""


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something."""
    for name, inner in getattr(command, "commands", {}).items():
        if hasattr(inner, "commands"):
            assert inner.help, f"shop {' '.join((*path, name))} says nothing of itself"
        yield from leaves(inner, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


COMMANDS = {" ".join(path): command for path, command in leaves(typer.main.get_command(app))}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_what_it_does_and_what_each_word_means(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"shop {name}: {parameter.name} is not explained"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in LASTING])
def test_a_command_answers_programs_too(name: str) -> None:
    options = [option for parameter in COMMANDS[name].params for option in parameter.opts]
    assert "--json" in options


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_is_told_how_to_complete(shell: str) -> None:
    done = subprocess.run(
        [SHOP, "--show-completion", shell], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "_SHOP_COMPLETE" in done.stdout


def test_what_is_begun_is_completed() -> None:
    asked = {
        "_SHOP_COMPLETE": "complete_bash",
        "COMP_WORDS": "shop deliveries re",
        "COMP_CWORD": "2",
    }
    done = subprocess.run(
        [SHOP], env={**asked, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=60
    )
    assert "reschedule" in done.stdout.split()
