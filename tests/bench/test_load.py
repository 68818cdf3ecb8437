"""What the bench counts: answers that are as they should be, and none else."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bench.client import BadAnswer, Client, Load, pace, press, request
from bench.keeping_up import log_of
from bench.results import Result, Series, beside_the_faster
from tests.listening import listening

ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def answering(answer: Callable[[int], bytes]) -> AsyncIterator[str]:
    """A server that answers its n-th request with the n-th answer, in two pieces."""
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            whole = answer(asked)
            asked += 1
            writer.write(whole[:30])
            await writer.drain()
            writer.write(whole[30:])

    async with listening(serve) as address:
        yield address


def ok(number: int) -> bytes:
    body = str(number).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def fault(number: int) -> bytes:
    return b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops"


async def pressed(address: str) -> Load:
    return await press(
        [address],
        lambda: request("GET", "/", {}),
        lambda answer: answer.status == 200,
        connections=4,
        seconds=0.1,
        warm=0,
    )


@pytest.mark.anyio
async def test_answers_are_read_whole_and_in_order() -> None:
    async with answering(ok) as address:
        client = Client(address)
        answers = [await client.ask(request("GET", "/", {})) for _ in range(12)]
        client.close()
    assert [(each.status, each.body) for each in answers] == [
        (200, str(number).encode()) for number in range(12)
    ]


@pytest.mark.anyio
async def test_good_answers_are_counted() -> None:
    async with answering(ok) as address:
        load = await pressed(address)
    assert load.counted > 4
    assert load.rate == load.counted / 0.1


@pytest.mark.anyio
async def test_a_server_that_fails_is_not_measured() -> None:
    async with answering(fault) as address:
        with pytest.raises(BadAnswer, match="500 oops"):
            await pressed(address)


@pytest.mark.anyio
async def test_a_load_is_spread_over_all_addresses() -> None:
    async with answering(ok) as one, answering(fault) as another:
        with pytest.raises(BadAnswer, match="500 oops"):
            await press(
                [one, another],
                lambda: request("GET", "/", {}),
                lambda answer: answer.status == 200,
                connections=2,
                seconds=0.1,
                warm=0,
            )


@pytest.mark.anyio
async def test_a_pace_is_kept_and_not_exceeded() -> None:
    async with answering(ok) as address:
        load = await pace(
            [address],
            lambda: request("GET", "/", {}),
            lambda answer: answer.status == 200,
            rate=100,
            seconds=0.2,
        )
    assert 0 < load.counted <= 20
    assert not load.others


@pytest.mark.parametrize(
    ("reader", "log"),
    [
        ("ordering.checkout<catalog", "catalog"),
        ("ordering.orders:v1", "ordering"),
        ("ordering.timers", None),
    ],
)
def test_a_reader_keeps_up_with_the_log_it_reads(reader: str, log: str | None) -> None:
    assert log_of(reader) == log


def test_what_stands_beside_nothing_is_held_against_its_aim() -> None:
    events = Result("events", "/s", Series("reader", [19_000, 25_000, 21_000]), at_least=20_000)
    assert (events.reached, events.aim) == (True, "≥ 20,000")
    events.ours.values[1] = 19_500
    assert not events.reached


def test_the_shop_is_compared_with_the_faster_way() -> None:
    series = {
        "shop": Series("shop", [10, 30, 20]),
        "sync": Series("sync", [10, 9, 50]),
        "async": Series("async", [16, 15, 17]),
    }
    result = beside_the_faster("orders", series, at_least=1.25)
    assert result.beside is series["async"]
    assert result.slower is series["sync"]
    assert result.ratio == 1.25
    assert result.reached


def test_the_bench_prints_what_it_measured() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--quick", "--only", "log", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    few, many, decisions = json.loads(done.stdout)["results"]
    for result in (few, many, decisions):
        assert result["ratio"] == result["ours"]["median"] / result["beside"]["median"]
        assert result["ours"]["min"] > 0
        assert len(result["ours"]["rounds"]) == 3
