"""What the Dockerfile and compose.yaml promise, read from them, with no container engine."""

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from shop.settings import Settings

ROOT = Path(__file__).parent.parent


class Step(NamedTuple):
    """One instruction of a Dockerfile."""

    word: str
    rest: str


def stages() -> list[list[Step]]:
    text = (ROOT / "Dockerfile").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    steps = [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]
    starts = [i for i, step in enumerate(steps) if step.word == "FROM"]
    return [steps[i:j] for i, j in zip(starts, [*starts[1:], None], strict=True)]


BUILD, IMAGE = stages()


def only(word: str) -> str:
    (found,) = [step.rest for step in IMAGE if step.word == word]
    return found


def test_the_image_runs_as_nobody_special() -> None:
    user, group = only("USER").split(":")
    assert int(user) > 0
    assert int(group) > 0
    assert only("VOLUME") == only("WORKDIR") == "/data"
    made = next(step.rest for step in IMAGE if step.word == "RUN")
    assert f"--owner {user} --group {group} /data" in made
    after = IMAGE[[step.word for step in IMAGE].index("USER") :]
    assert all(step.word not in ("RUN", "COPY") for step in after)


def test_the_image_is_a_whole_shop_by_itself() -> None:
    assert json.loads(only("ENTRYPOINT")) == ["shop"]
    assert json.loads(only("CMD")) == ["serve", "--host", "0.0.0.0"]
    variables = dict(word.split("=", 1) for word in only("ENV").split())
    assert variables["SHOP_DATA_DIR"] == "/data"
    assert variables["PATH"].startswith("/opt/storefold/bin:")
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1", "the root file system may be read-only"


def test_the_image_asks_the_shop_whether_it_is_ready() -> None:
    command = json.loads(only("HEALTHCHECK").split("CMD ")[1])
    assert command[:2] == ["python", "-c"]
    assert "http://127.0.0.1:8000/readyz" in command[2]
    assert "ProxyHandler({})" in command[2], "whatever proxy the container is given"
    assert only("EXPOSE") == "8000"
    compile(command[2], "HEALTHCHECK", "exec")


def test_nothing_that_builds_is_in_the_image() -> None:
    assert [step.rest for step in IMAGE if step.word == "COPY"] == [
        "--from=build /opt/storefold /opt/storefold"
    ]
    run = " ".join(step.rest for step in IMAGE if step.word == "RUN")
    assert re.findall(r"apt-get install .*?recommends (.*?)\s+&&", run) == ["libcurl4"]
    assert "pip uninstall --yes wheel setuptools pip" in run
    assert "uninstall --yes setuptools pip" in BUILD[-1].rest


def test_everything_the_image_is_built_from_is_sent_to_the_builder() -> None:
    ignored, *sent = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith(("#", "**"))
    ]
    assert ignored == "*"
    copied = [source for step in BUILD if step.word == "COPY" for source in step.rest.split()[:-1]]
    assert copied
    for source in copied:
        assert (ROOT / source).exists()
        assert any(fnmatch.fnmatch(source, pattern.lstrip("!")) for pattern in sent)


@pytest.mark.long
def test_the_steps_of_the_build_make_a_shop_that_starts(tmp_path: Path) -> None:
    """Runs the first stage below a temporary folder; it downloads what the locks name."""
    opt, work = tmp_path / "opt", tmp_path / "build"
    work.mkdir()
    python = Path(sys.executable).resolve().parent
    for step in BUILD:
        if step.word == "COPY":
            *sources, target = step.rest.split()
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, work / target)
                else:
                    shutil.copy(ROOT / source, work / target)
        elif step.word == "RUN":
            subprocess.run(
                step.rest.replace("/opt/", f"{opt}/"),
                shell=True,
                cwd=work,
                env={**os.environ, "PATH": f"{python}:{os.environ['PATH']}"},
                check=True,
            )
    shop = opt / "storefold/bin/shop"
    done = subprocess.run([shop, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "serve" in done.stdout
    assert not list(opt.glob("storefold/lib/*/site-packages/pip"))


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SHOP: dict[str, Any] = COMPOSE["services"]["shop"]


def test_composed_the_shop_can_write_nothing_but_tmp_and_has_no_privileges() -> None:
    assert SHOP["read_only"] is True
    assert SHOP["tmpfs"] == ["/tmp"]
    assert SHOP["cap_drop"] == ["ALL"]
    assert SHOP["security_opt"] == ["no-new-privileges:true"]
    assert not {"user", "privileged", "volumes"} & SHOP.keys()


def test_composed_the_shop_may_run_several_times() -> None:
    first, last = SHOP["ports"][0].removesuffix(":8000").split("-")
    assert int(last) > int(first)
    assert "container_name" not in SHOP


def test_composed_the_shop_finds_its_servers_once_they_are_healthy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in SHOP["environment"].items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert settings.mongodb_url == "mongodb://mongodb:27017/?replicaSet=shop"
    assert settings.redis_url == "redis://redis:6379/0"
    for name in ("mongodb", "redis"):
        assert SHOP["depends_on"][name] == {"condition": "service_healthy"}
        assert COMPOSE["services"][name]["healthcheck"]["test"]
    mongod = COMPOSE["services"]["mongodb"]
    assert mongod["command"][1:3] == ["--replSet", "shop"]
    assert 'rs.initiate({_id: "shop"' in mongod["healthcheck"]["test"][-1]
