"""Every command of `shop webhooks` as a person types it, beside a shop at work."""

from __future__ import annotations

import asyncio
import re
import shlex
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from shop import doctor, embedded, running
from shop.cli import app
from tests.ordering.histories import CONFIRMED, PLACED
from tests.shop.commands import House, Ran
from tests.shop.webhooks.receiver import Receiver
from tests.shop.webhooks.telling import Telling

GUIDE = (Path(__file__).parents[3] / "docs" / "webhooks.md").read_text()


class Desk(NamedTuple):
    """A shop at work, and its operator."""

    telling: Telling
    house: House

    async def type(self, *words: str, private: str = "true") -> Ran:
        typed = partial(self.house.run, "webhooks", *words, SHOP_WEBHOOKS_ALLOW_PRIVATE=private)
        return await asyncio.to_thread(typed)

    async def rows(self, *words: str) -> list[dict[str, Any]]:
        ran = await self.type(*words, "--json")
        assert (ran.code, ran.err) == (0, ""), ran
        return ran.rows()

    async def one(self, *words: str) -> dict[str, Any]:
        (row,) = await self.rows(*words)
        return row


@pytest.fixture
async def desk(
    shop: Telling, servers: embedded.Servers, redis_url: str, prefix: str, tmp_path: Path
) -> Desk:
    assert servers.mongodb_url
    house = House(
        tmp_path / "desk",
        SHOP_MONGODB_URL=servers.mongodb_url,
        SHOP_REDIS_URL=redis_url,
        SHOP_MONGODB_PREFIX=prefix,
    )
    return Desk(shop, house)


async def test_an_endpoint_from_its_first_message_to_its_last(
    desk: Desk, receiver: Receiver
) -> None:
    added = await desk.type("add", receiver.url, "--client", "webshop", "--only", "order.*")
    (receiver.secret,) = added.out.splitlines()
    assert receiver.secret.startswith("whsec_")
    (endpoint,) = (word for word in added.err.split() if word.startswith("whe_"))
    await desk.telling.happen(PLACED)
    await desk.telling.becomes("taken")

    listed, told, tried = await asyncio.gather(
        desk.type("list"),
        desk.one("deliveries", "--order", PLACED.order_id, "--since", "1h"),
        desk.one("test", endpoint),
    )
    assert receiver.secret not in listed.out
    head, line = listed.out.splitlines()
    assert head.split()[:2] == ["endpoint", "id"]
    for shown in (endpoint, receiver.url, "webshop", "order.*", "enabled"):
        assert shown in line
    assert (told["type"], told["state"]) == ("order.placed", "taken")
    assert [attempt["status"] for attempt in told["attempts"]] == [204]
    assert (tried["taken"], tried["status"]) == (True, 204)
    assert receiver.types() == ["order.placed", "webhook.test"]

    assert await desk.one("redeliver", told["message_id"]) == {"sent_again": 1}
    await desk.telling.tried(2)
    assert await desk.one("redeliver", "--endpoint", endpoint, "--since", "1h") == {"sent_again": 1}
    await desk.telling.tried(3)

    disabled = await desk.type("disable", endpoint, "--reason", "moving house")
    assert "disabled: moving house" in disabled.out
    await desk.telling.happen(CONFIRMED)
    row = await desk.one("enable", endpoint)
    assert (row["client"], row["only"], row["disabled"]) == ("webshop", ["order.*"], None)

    rotated = await desk.type("secret", "rotate", endpoint, "--overlap", "0")
    assert rotated.out.strip() not in ("", receiver.secret)
    assert (await desk.one("remove", endpoint))["removed"]
    assert await desk.telling.endpoints() == ()
    assert receiver.forged == 0


async def test_what_is_refused_is_one_clear_line(desk: Desk, receiver: Receiver) -> None:
    endpoint = await desk.telling.add(receiver)
    receiver.answer = lambda got: (401, {})
    private, tried = await asyncio.gather(
        desk.type("add", "https://127.0.0.1/", private="false"), desk.type("test", endpoint)
    )
    assert "SHOP_WEBHOOKS_ALLOW_PRIVATE" in private.complaint()
    assert (tried.code, tried.err) == (1, "")
    assert "401" in tried.out


@pytest.mark.parametrize(
    "words",
    [
        ("redeliver",),
        ("redeliver", "msg_1", "--endpoint", "whe_1"),
        ("redeliver", "--endpoint", "whe_1"),
        ("redeliver", "--endpoint", "whe_1", "--failed", "--since", "1h"),
        ("redeliver", "--endpoint", "whe_1", "--since", "yesterday"),
        ("deliveries", "--since", "yesterday"),
        ("secret", "rotate", "whe_1", "--overlap", "1000"),
        ("add",),
    ],
)
def test_what_is_not_understood_is_exit_2_and_nothing_is_started(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def located(**how: object) -> None:
        raise AssertionError("a shop was opened")

    monkeypatch.setattr(running, "located", located)
    assert CliRunner().invoke(app, ["webhooks", *words]).exit_code == 2


async def test_the_doctor_sees_endpoints_that_take_nothing(
    shop: Telling, receiver: Receiver
) -> None:
    receiver.answer = lambda got: (410 if got.type == "order.confirmed" else 400, {})
    endpoint = await shop.add(receiver)
    await shop.happen(PLACED, CONFIRMED)
    await shop.disabled(endpoint, "gone")
    first = {"type": "order.placed"}
    shop.database["notices"].update_one(first, {"$set": {"state": "failed"}})
    found = {each.detail: each for each in await doctor._webhooks(shop.webhooks.home)}
    assert found.keys() == {"disabled: gone", "messages given up: 1"}
    assert f"--endpoint {endpoint}" in found["messages given up: 1"].do


def commands_of_the_guide() -> list[str]:
    shown = re.findall(r"^```sh\n(.*?)^```$", GUIDE, flags=re.DOTALL | re.MULTILINE)
    lines = [line.partition(" #")[0].strip() for block in shown for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("line", commands_of_the_guide())
def test_what_the_guide_types_is_understood(line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "shop"
    command: Any = get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context(line, words)
