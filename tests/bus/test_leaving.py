"""The end of a process, as those hear of it who would go on for long."""

import asyncio

import pytest

from bus.leaving import Leaving
from tests.waiting import soon


async def waited(leaving: Leaving, last: float, otherwise: float = 60) -> None:
    with leaving.timeout(last, otherwise):
        await asyncio.Event().wait()


async def test_who_waits_without_a_limit_has_one_once_the_end_begins() -> None:
    leaving = Leaving()
    waiting = asyncio.create_task(waited(leaving, 0))
    await asyncio.sleep(0)
    leaving.begin()
    leaving.begin()  # each connection says so
    with pytest.raises(TimeoutError):
        await soon(waiting)


async def test_who_comes_later_waits_no_longer_than_those_before() -> None:
    leaving = Leaving()
    leaving.begin()
    with pytest.raises(TimeoutError):
        await soon(waited(leaving, 0.01, 60))


async def test_the_end_of_a_process_gives_nobody_more_time() -> None:
    leaving = Leaving()
    waiting = asyncio.create_task(waited(leaving, 60, 0.05))
    await asyncio.sleep(0)
    leaving.begin()
    with pytest.raises(TimeoutError):
        await soon(waiting)


async def test_who_was_done_before_hears_nothing_of_it() -> None:
    leaving = Leaving()
    with leaving.timeout(0):
        pass
    leaving.begin()


async def test_who_is_cancelled_is_cancelled_whatever_the_time() -> None:
    leaving = Leaving()
    waiting = asyncio.create_task(waited(leaving, 0))
    await asyncio.sleep(0)
    waiting.cancel()
    leaving.begin()
    with pytest.raises(asyncio.CancelledError):
        await soon(waiting)


async def test_whose_time_is_over_is_not_cancelled_for_good() -> None:
    with pytest.raises(TimeoutError):
        await waited(Leaving(), 60, 0.01)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()
