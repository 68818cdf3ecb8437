"""What this process has heard of the log decides whether what is kept elsewhere is still right."""

from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.commits import Commit, Meta, Write
from bus.feed import Feed
from bus.freshness import Freshness
from bus.messages import now
from tests.bus.tills import tills

META = Meta("c", None, "system:test", None, None)

Tills = Sequence[str]


def commit(position: int, written: Tills) -> Commit:
    """A commit that writes these tills; nobody looks at the versions."""
    writes = tuple(Write(f"till-{till}", position) for till in written)
    return Commit(position, f"c{position}", writes, (), now(), META)


def feed_from(head: int) -> Feed:
    """A feed of a process that begins to listen here, and is only pushed."""

    async def nothing(*_: int) -> list[Commit]:
        return []

    async def here() -> int:
        return head

    feed = Feed("tills", nothing, here)
    feed.head = head
    return feed


def push(feed: Feed, *written: Tills) -> None:
    """The next commits."""
    feed.push([commit(n, tills) for n, tills in enumerate(written, start=feed.head + 1)])


@pytest.fixture
def feed() -> Feed:
    return feed_from(10)


def test_what_is_right_up_to_where_the_process_began_holds_until_it_is_written(feed: Feed) -> None:
    fresh = partial(Freshness(feed).vouches, tills("a"))
    assert fresh(10)
    push(feed, "b", "c")
    assert fresh(10)
    push(feed, "ab")
    assert not fresh(10)
    assert not fresh(12)
    assert fresh(13)


def test_of_what_was_before_it_began_a_process_knows_nothing(feed: Feed) -> None:
    freshness = Freshness(feed)
    assert not freshness.vouches(tills("a"), 9)
    push(feed, "b")
    assert not freshness.vouches(tills("a"), 9)
    assert freshness.vouches(tills("a"), 10)


def test_what_others_heard_first_is_right(feed: Feed) -> None:
    assert Freshness(feed).vouches(tills("a"), 99)


def test_of_very_many_streams_the_last_written_are_known_and_the_others_not_vouched_for(
    feed: Feed,
) -> None:
    freshness = Freshness(feed, limit=2)
    push(feed, "a", "b", "a", "c")  # at 11 to 14: b is forgotten
    assert not freshness.vouches(tills("b"), 11)
    assert not freshness.vouches(tills("z"), 11)
    assert freshness.vouches(tills("b"), 12)
    assert not freshness.vouches(tills("a"), 12)
    assert freshness.vouches(tills("a"), 13)


@given(
    st.lists(st.text("abcde", min_size=1, max_size=3), min_size=1, max_size=40),
    st.integers(0, 40),
    st.integers(1, 5),
    st.sampled_from("abcdef"),
    st.integers(0, 50),
)
def test_nothing_is_vouched_for_that_was_written_since(
    written: list[str], began: int, limit: int, till: str, position: int
) -> None:
    feed = feed_from(min(began, len(written)))
    freshness = Freshness(feed, limit)
    push(feed, *written[feed.head :])
    since = [at for at, tills in enumerate(written, start=1) if at > position and till in tills]
    if freshness.vouches(tills(till), position):
        assert not since
    elif not since:  # then it was before this process began, or is beyond what it remembers
        heard = [set(tills) for tills in written[position:]]
        assert position < min(began, len(written)) or len(set().union(*heard)) > limit
