"""The guide to a new context, followed to the letter in a copy of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
GUIDE = (ROOT / "docs" / "new-context.md").read_text()


def step(section: str, copy: Path) -> Path:
    """Does what one section of the guide says; the file that it made or changed."""
    title, _, body = section.partition("\n")
    name = re.findall(r"`([^`]+)`", title)[0]
    file = copy / str(name)
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", body, re.DOTALL | re.MULTILINE):
        if language == "python":
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block)
        else:
            changed(file, block)
    return file


def changed(file: Path, diff: str) -> None:
    """Changes a file as a block of `-`, `+` and unchanged lines says."""
    lines = diff.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    text = file.read_text()
    assert before in text, f"{file.name} has no such lines any more:\n{before}"
    file.write_text(text.replace(before, after))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


_SURFACE = """
from shop.running import assembled
from shop.settings import Settings
nowhere = Settings(_env_file=None, mongodb_url="mongodb://nowhere", redis_url="redis://nowhere")
shop = assembled(nowhere)
print([row.path for row in shop.endpoints() if row.path.endswith("reviews")])
shop.mongo().close()
"""


def run(copy: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy / "src")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_whoever_follows_the_guide_has_a_new_context(copy: Path) -> None:
    sections = GUIDE.split("\n## ")[1:]
    files = [str(step(section, copy)) for section in sections]
    assert len(files) == 9
    modules = [file for file in files if file.endswith(".py")]
    tests = [file for file in files if "/tests/reviews/" in file]
    matrix = ("tests/shop/test_scopes.py", "tests/shop/test_idempotency.py")
    assert run(copy, "-c", _SURFACE).count("/v1/products/{product_id}/reviews") == 2
    tried = run(copy, "-m", "pytest", "-q", *tests, *matrix, "-k", "reviews or every_command")
    passed = re.findall(r"(\d+) passed", tried)
    assert int(passed[0]) > 20, "its own, its rows with every kind of key, and twins"
    lint = "from importlinter.cli import *; lint_imports_command(['--no-cache'])"
    assert " 0 broken" in run(copy, "-c", lint)
    run(copy, "-m", "ruff", "check", *modules)
    run(copy, "-m", "ruff", "format", "--check", *modules)
