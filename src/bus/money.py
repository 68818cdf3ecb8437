"""Money, exactly: whole numbers of minor units, from its text to its last cent."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import Field

from bus.currency import Currency, places_of
from bus.model import MAX_INTEGER, Model

_PLAIN = re.compile(r"([0-9]{1,16})(?:\.([0-9]{1,16}))?")


class Money(Model):
    """An amount in minor units (cents) of an ISO 4217 currency."""

    amount: int = Field(ge=0, le=MAX_INTEGER)
    currency: Currency

    @classmethod
    def parse(cls, text: str, currency: str) -> Money:
        """Read an amount in major units, `10.50`; raises `ValueError`, which says what is wrong."""
        places = places_of(currency)
        plain = text.strip()
        found = _PLAIN.fullmatch(plain)
        if found is None:
            such = cls(amount=1050, currency=currency).digits
            raise ValueError(
                f"{plain[:40]!r} is no amount of {currency}:"
                f" write a plain decimal number, such as {such}"
            )
        whole, fraction = found[1], (found[2] or "").rstrip("0")
        if len(fraction) > places:
            raise ValueError(
                f"{plain} is no amount of {currency}, which has {places} decimal places"
            )
        minor = int(whole + fraction.ljust(places, "0"))
        if minor > MAX_INTEGER:
            most = cls(amount=MAX_INTEGER, currency=currency)
            raise ValueError(f"{plain} is more than can be kept, which is {most}")
        return cls(amount=minor, currency=currency)

    def __add__(self, other: Money) -> Money:
        return Money(amount=self.amount + self._same(other).amount, currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(amount=self.amount - self._same(other).amount, currency=self.currency)

    def __str__(self) -> str:
        """As people read it: `10.50 EUR`, `1050 JPY`."""
        return f"{self.digits} {self.currency}"

    @property
    def digits(self) -> str:
        """The amount in major units, as `parse` reads it: `10.50`."""
        places = places_of(self.currency)
        minor = str(self.amount).rjust(places + 1, "0")
        return f"{minor[:-places]}.{minor[-places:]}" if places else minor

    def times(self, quantity: int) -> Money:
        """This amount, `quantity` times over."""
        return Money(amount=self.amount * quantity, currency=self.currency)

    def zero(self) -> Money:
        """Nothing, in the same currency."""
        return Money(amount=0, currency=self.currency)

    def allocate(self, weights: Sequence[int]) -> tuple[Money, ...]:
        """Share this out by weight, to the last minor unit; a weight of zero gets nothing.

        Each share is the exact one rounded down, and what is left goes, a unit each, to those who
        lost most by that; among equals, to the first (the method of largest remainders). Raises
        `ValueError` unless the weights are whole numbers, none below zero and not all zero.
        """
        if any(type(weight) is not int or weight < 0 for weight in weights) or not any(weights):
            raise ValueError(
                f"cannot share out {self} by {tuple(weights)[:20]}: the weights must be whole"
                " numbers, none below zero and not all zero"
            )
        total = sum(weights)
        shares, lost = zip(
            *(divmod(self.amount * weight, total) for weight in weights), strict=True
        )
        left = self.amount - sum(shares)
        most = set(sorted(range(len(lost)), key=lambda index: -lost[index])[:left])
        return tuple(
            Money(amount=share + (index in most), currency=self.currency)
            for index, share in enumerate(shares)
        )

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"cannot mix {self.currency} and {other.currency}")
        return other
