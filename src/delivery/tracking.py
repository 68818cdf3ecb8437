"""Tracking numbers that a person can read aloud, and that betray a slip of the tongue."""

from __future__ import annotations

from hashlib import blake2b

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O or U, which are taken for others or make words."""

LENGTH = 12
"""Characters before the check character: 60 bits, so that a billion numbers hardly meet."""


def tracking_number(delivery_id: str) -> str:
    """The one number of a delivery, as `7K3M-9QXT-4B2W-H`; the last character checks the others."""
    bits = int.from_bytes(blake2b(delivery_id.encode(), digest_size=8).digest())
    body = "".join(ALPHABET[bits >> 5 * place & 31] for place in range(LENGTH))
    return "-".join((body[:4], body[4:8], body[8:], check_character(body)))


def is_valid(number: str) -> bool:
    """Whether a tracking number's check character fits; case and dashes don't matter."""
    plain = number.upper().replace("-", "")
    known = len(plain) == LENGTH + 1 and set(plain) <= set(ALPHABET)
    return known and check_character(plain[:-1]) == plain[-1]


def check_character(body: str) -> str:
    """The check character by Luhn's algorithm modulo 32.

    It notices every wrong character and nearly every swap of two neighbours.
    """
    total = 0
    for place, character in enumerate(reversed(body)):
        value = ALPHABET.index(character) * (2 if place % 2 == 0 else 1)
        total += value // 32 + value % 32
    return ALPHABET[-total % 32]
