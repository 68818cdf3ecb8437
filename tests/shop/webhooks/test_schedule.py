"""When what was not taken is tried again."""

from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from shop.webhooks.schedule import FIRST_REST, LONGEST_REST, PAUSES, Backoff, again

START = datetime(2026, 11, 23, 12, tzinfo=UTC)


def attempts(seed: int) -> list[datetime]:
    """When a notice is tried that nobody takes."""
    draw, at = Random(seed).uniform, START
    times = [at]
    while (due := again(len(times), START, at, draw)) is not None:
        times.append(due)
        at = due
    return times


@given(st.integers())
def test_a_notice_is_tried_ten_times_over_75_hours(seed: int) -> None:
    times = attempts(seed)
    assert len(times) == 10
    assert timedelta(hours=68) < times[-1] - times[0] < timedelta(hours=83, minutes=10)


@given(st.integers(min_value=1, max_value=9), st.integers())
def test_a_pause_is_as_recommended_give_or_take_a_tenth(attempt: int, seed: int) -> None:
    due = again(attempt, START, START, Random(seed).uniform)
    assert due is not None
    assert 0.9 <= (due - START) / PAUSES[attempt - 1] <= 1.1


def test_pauses_differ_so_that_what_failed_together_comes_apart() -> None:
    assert len({tuple(attempts(seed)) for seed in range(20)}) == 20


def test_what_is_tried_seldom_is_not_tried_for_longer() -> None:
    days = [again(2, START, START + timedelta(days=day), Random(1).uniform) for day in (1, 3, 4)]
    assert [due is not None for due in days] == [True, True, False]


@given(st.lists(st.booleans(), max_size=40))
def test_an_endpoint_is_left_alone_twice_as_long_each_time_until_it_answers(
    answers: list[bool],
) -> None:
    backoff, at, row = Backoff(), START, 0
    for answered in answers:
        assert backoff.over(at)
        if answered:
            backoff.answered()
            row = 0
            assert backoff.over(at)
            continue
        backoff.failed(at, at)
        rest = min(FIRST_REST * 2**row, LONGEST_REST)
        assert not backoff.over(at + rest * 0.999)
        at += rest
        row += 1


def test_what_failed_together_counts_once() -> None:
    backoff = Backoff()
    for took in range(8):
        backoff.failed(START, START + timedelta(milliseconds=took))
    assert backoff.failures == 1


def test_who_asks_for_time_is_given_it_up_to_five_minutes() -> None:
    backoff = Backoff()
    backoff.failed(START, START, timedelta(minutes=2))
    assert not backoff.over(START + timedelta(seconds=119))
    assert backoff.over(START + timedelta(seconds=120))
    greedy = Backoff()
    greedy.failed(START, START, timedelta(days=2))
    assert greedy.over(START + LONGEST_REST)
