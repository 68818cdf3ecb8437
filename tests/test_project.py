"""The project itself: what is locked, what goes into a wheel, who may import whom, and what the
messages say."""

import ast
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "locks").iterdir())
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def locked(name: str) -> dict[str, Requirement]:
    """Every package of a lock, as this Python has it where others have another version."""
    text = (ROOT / "locks" / name).read_text().replace("\\\n", " ")
    pins = [Requirement(line.split(" --hash=")[0]) for line in text.splitlines()]
    pins.sort(key=lambda pin: pin.marker is None or pin.marker.evaluate())
    return {canonicalize_name(pin.name): pin for pin in pins}


def named(requirements: list[Any]) -> set[str]:
    return {canonicalize_name(Requirement(r).name) for r in requirements if isinstance(r, str)}


CORE = named(PROJECT["project"]["dependencies"])
EMBEDDED = named(PROJECT["project"]["optional-dependencies"]["embedded"])
BUILD = named(PROJECT["dependency-groups"]["build"])
DEV = named(PROJECT["dependency-groups"]["dev"])
OSRM = named(PROJECT["dependency-groups"]["osrm"])


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: str(lock.name))
def test_a_lock_holds_versions_and_hashes_and_no_address(lock: Path) -> None:
    pin = r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==[^ @:/]+( ; [^@:/]+)?"
    package = re.compile(pin + r"( --hash=sha256:[0-9a-f]{64})+")
    for line in lock.read_text().replace(" \\\n   ", "").splitlines():
        assert package.fullmatch(line)


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("run.txt", CORE | EMBEDDED),
        ("dev.txt", CORE | EMBEDDED | BUILD | DEV),
        ("build.txt", BUILD),
        ("osrm.txt", OSRM),
    ],
)
def test_a_lock_holds_all_that_the_project_asks_for(lock: str, wanted: set[str]) -> None:
    assert wanted <= locked(lock).keys()


@pytest.mark.parametrize("lock", ["run.txt", "build.txt"])
def test_what_is_tested_is_what_runs(lock: str) -> None:
    tested = locked("dev.txt")
    for name, pin in locked(lock).items():
        assert str(pin) == str(tested[name]), "run `make lock`"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("storefold-*.whl"))


def test_a_wheel_holds_every_file_of_every_package(wheel: Path) -> None:
    source = {
        str(file.relative_to(ROOT / "src"))
        for file in (ROOT / "src").rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    packages = {name.split("/")[0] for name in source}
    assert packages == {"bus", "ordering", "catalog", "delivery", "maps", "payment", "shop"}
    assert source <= set(zipfile.ZipFile(wheel).namelist())


_IMPORTS_ALL = """
import importlib, pkgutil, sys
sys.path[:0] = sys.argv[1:]
for package in "bus", "ordering", "catalog", "delivery", "maps", "payment", "shop":
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(importlib.import_module("shop.cli").main.__name__)
"""


def test_a_wheel_and_the_lock_for_running_are_all_that_a_shop_needs(
    wheel: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "shop")
    packages = tmp_path / "packages"
    packages.mkdir()
    for name, pin in locked("run.txt").items():
        if pin.marker is None or pin.marker.evaluate():
            link_distribution(name, packages)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _IMPORTS_ALL, str(tmp_path / "shop"), str(packages)],
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert done.stdout == "main\n"


def link_distribution(name: str, folder: Path) -> None:
    """Shows an installed package in that folder."""
    distribution = importlib.metadata.distribution(name)
    for top in {file.parts[0] for file in distribution.files or []}:
        if top not in ("..", "__pycache__") and not (folder / top).exists():
            (folder / top).symlink_to(str(distribution.locate_file(top)))


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("catalog/nosy.py", "from payment import contract", "Nobody looks up"),
        ("bus/nosy.py", "from catalog import contract", "Nobody looks up"),
        ("ordering/nosy.py", "from catalog import inside", "Of another context only"),
        ("catalog/contract.py", "from bus import bystander", "A contract rests on"),
        ("delivery/nosy.py", "import dependency_injector", "Only the shop wires"),
        ("catalog/nosy.py", "from bus import bystander", "Rules know of the bus"),
        ("payment/nosy.py", "import pymongo", "Rules know no database"),
    ],
)
def test_an_import_that_is_not_allowed_is_found(
    tmp_path: Path, module: str, line: str, contract: str
) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in ("bus", "ordering", "catalog", "delivery", "maps", "payment", "shop"):
        (tmp_path / "src" / package).mkdir(parents=True)
        (tmp_path / "src" / package / "__init__.py").touch()
        (tmp_path / "src" / package / "contract.py").touch()
    (tmp_path / "src/catalog/inside.py").touch()
    (tmp_path / "src/bus/bystander.py").touch()
    assert broken_contracts(tmp_path) == []
    (tmp_path / "src" / module).write_text(line + "\n")
    assert any(name.startswith(contract) for name in broken_contracts(tmp_path))


def broken_contracts(folder: Path) -> list[str]:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import *; lint_imports_command(['--no-cache'])",
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
    )
    assert done.stderr == ""
    assert " kept, " in done.stdout
    return [line.split(" BROKEN")[0] for line in done.stdout.splitlines() if " BROKEN" in line]


FILES = ("invoices.py", "replay.py", "sales.py")
"""What reads the files of an operator, who sees each refusal when it happens."""


@pytest.mark.parametrize("context", ["maps", "delivery", "ordering"])
def test_what_may_be_refused_is_told_by_the_messages(context: str) -> None:
    modules = [each for each in (ROOT / "src" / context).glob("*.py") if each.name not in FILES]
    nodes = [node for each in modules for node in ast.walk(ast.parse(each.read_text()))]
    told = " ".join(
        ast.get_docstring(node) or "" for node in nodes if isinstance(node, ast.ClassDef)
    )
    codes = {
        code
        for node in nodes
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("Refused", "NotFound")
        for code in (node.args[0].value,)  # type: ignore[attr-defined]
    }
    assert codes
    assert [code for code in sorted(codes) if f"`{code}`" not in told] == []
