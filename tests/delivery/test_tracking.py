"""A tracking number is always the same, and wrong when a character of it is."""

import re

from hypothesis import given
from hypothesis import strategies as st

from delivery.tracking import ALPHABET, is_valid, tracking_number


def test_a_tracking_number_is_short_and_always_the_same() -> None:
    number = tracking_number("dlv_1")
    assert number == tracking_number("dlv_1")
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]", number)


def test_ten_thousand_deliveries_have_ten_thousand_numbers() -> None:
    assert len({tracking_number(f"dlv_{n}") for n in range(10_000)}) == 10_000


@given(st.text(min_size=1))
def test_case_and_dashes_of_a_number_do_not_matter(delivery_id: str) -> None:
    number = tracking_number(delivery_id)
    assert is_valid(number)
    assert is_valid(number.lower().replace("-", ""))


@given(st.text(min_size=1), st.integers(0, 12), st.sampled_from(ALPHABET))
def test_one_wrong_character_is_noticed(delivery_id: str, place: int, wrong: str) -> None:
    number = tracking_number(delivery_id).replace("-", "")
    if number[place] != wrong:
        assert not is_valid(number[:place] + wrong + number[place + 1 :])


def test_what_is_no_number_is_not_valid() -> None:
    for text in ("", "7K3M", "7K3M-9QXT-4B2W-HH", "IIII-LLLL-OOOO-U"):
        assert not is_valid(text)
