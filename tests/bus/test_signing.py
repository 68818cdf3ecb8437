"""Tokens: read by those they were made for, refused from everybody else."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.signing import Forged, Lapsed, Signer

HOUR = timedelta(hours=1)


def signer(*keys: bytes) -> Signer:
    return Signer(lambda: keys)


async def test_what_was_signed_is_read_again() -> None:
    ours = signer(b"key")
    token = await ours.sign("quote", {"total": 1890, "to": "Zürich"})
    assert await ours.read("quote", token, HOUR) == {"total": 1890, "to": "Zürich"}


async def test_a_token_is_good_for_its_purpose_alone() -> None:
    ours = signer(b"key")
    token = await ours.sign("quote", 1)
    with pytest.raises(Forged) as refused:
        await ours.read("link", token, HOUR)
    assert (refused.value.code, refused.value.status) == ("unknown_link", 404)


async def test_a_token_of_another_shop_is_refused() -> None:
    token = await signer(b"theirs").sign("quote", 1)
    with pytest.raises(Forged):
        await signer(b"ours").read("quote", token, HOUR)


async def test_an_old_token_is_refused() -> None:
    ours = signer(b"key")
    token = await ours.sign("quote", 1)
    with pytest.raises(Lapsed) as refused:
        await ours.read("quote", token, -timedelta(seconds=1))
    assert refused.value.code == "quote_expired"


async def test_what_an_older_key_signed_is_still_read() -> None:
    token = await signer(b"old").sign("quote", 1)
    assert await signer(b"old", b"new").read("quote", token, HOUR) == 1


@given(st.text())
async def test_no_text_is_taken_for_a_token(text: str) -> None:
    with pytest.raises(Forged):
        await signer(b"key").read("quote", text, HOUR)
