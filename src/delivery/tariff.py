"""What it costs to bring goods: by the way, by what they weigh, or by the zone they go to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, NamedTuple, assert_never

from pydantic import Field, field_validator

from bus.messages import Model, Money, Refused

Amount = Annotated[int, Field(ge=0, le=10**12)]
"""Minor units of the currency of the goods."""

Metres = Annotated[int, Field(ge=0, le=10**8)]

Grams = Annotated[int, Field(ge=1, le=10**9)]

DEFAULT, BY_ZONE = "default", "zone"
"""Which tariff applies: the default one, or the one of the zone."""


class Tariff(Model):
    """A tariff by the way and what the goods are worth."""

    threshold: Amount = 500_00
    """Goods worth this much or more are dear: free within the free distance, `flat` beyond it."""
    free_distance_m: Metres = 30_000
    base: Amount = 50_00
    """What the way costs for other goods, as far as the free distance goes."""
    flat: Amount = 50_00
    per_km: Amount = 15_00
    """What each kilometre beyond the free distance adds to `base`, pro rata."""


class Band(Model):
    """What the way costs for goods of up to so many grams; without a limit, for all others."""

    up_to_g: Grams | None = None
    base: Amount
    free_distance_m: Metres = 0
    per_km: Amount = 0
    """What each kilometre beyond the free distance adds to `base`, pro rata."""

    def costs(self, distance_m: int) -> int:
        """What it costs to bring them so far."""
        beyond_m = max(distance_m - self.free_distance_m, 0)
        return self.base + _pro_rata(self.per_km, beyond_m)

    def never_costs_less(self, lighter: Band) -> bool:
        """Whether no way is cheaper for these goods than for lighter ones. Both costs are straight
        but where the free distances end: it is enough to look there, and at how they go on."""
        ends = (0, self.free_distance_m, lighter.free_distance_m)
        dearer = all(self.costs(end) >= lighter.costs(end) for end in ends)
        return dearer and self.per_km >= lighter.per_km


class WeightTariff(Model):
    """A tariff by what the goods weigh. Heavier ones never cost less."""

    bands: tuple[Band, ...] = Field(min_length=1, max_length=100)
    """From the lightest to the heaviest."""
    piece_g: int = Field(default=1000, ge=0, le=10**9)
    """What a piece is taken to weigh of which nobody knows."""

    @field_validator("bands")
    @classmethod
    def _rise(cls, bands: tuple[Band, ...]) -> tuple[Band, ...]:
        for number, (lighter, heavier) in enumerate(pairwise(bands), start=2):
            if lighter.up_to_g is None:
                raise ValueError(f"only the last band is without up_to_g, not number {number - 1}")
            if heavier.up_to_g is not None and heavier.up_to_g <= lighter.up_to_g:
                raise ValueError(f"band {number} ends before the one above it does")
            if not heavier.never_costs_less(lighter):
                raise ValueError(
                    f"band {number}, of heavier goods, costs less than the one above it"
                )
        return bands


AnyTariff = Tariff | WeightTariff


@dataclass(frozen=True, slots=True)
class Tariffs:
    """All tariffs of a shop, by their names, and the name of the one that applies: `default`, one
    of the others, or `zone`, which is that of the zone, or the default one where it has none."""

    default: Tariff = field(default_factory=Tariff)
    named: Mapping[str, AnyTariff] = field(default_factory=dict)
    applies: str = DEFAULT

    def of(self, zone_tariff: str | None) -> AnyTariff:
        """The tariff for a destination; refused with `unknown_tariff` when its zone names one that
        there is not."""
        name = self.applies if self.applies != BY_ZONE else zone_tariff or DEFAULT
        if name == DEFAULT:
            return self.default
        if name not in self.named:
            raise Refused(
                "unknown_tariff",
                f"what it costs there is told by tariff {name}, which is not in"
                " SHOP_TARIFF_TABLE: put it there, or give the zone another one",
                tariff=name,
            )
        return self.named[name]


class Load(NamedTuple):
    """What goods weigh in grams, but for the pieces of which nobody knows."""

    weight_g: int = 0
    unweighed: int = 0


def cost(tariff: AnyTariff, goods: Money, distance_m: int, load: Load = Load()) -> Money:  # noqa: B008
    """What it costs to bring goods so far, rounded half up to the minor unit. Refused with
    `too_heavy`."""
    match tariff:
        case Tariff():
            beyond_m = max(distance_m - tariff.free_distance_m, 0)
            if goods.amount >= tariff.threshold:
                amount = tariff.flat if beyond_m else 0
            else:
                amount = tariff.base + _pro_rata(tariff.per_km, beyond_m)
        case WeightTariff():
            amount = _band(tariff, load).costs(distance_m)
        case _:
            assert_never(tariff)
    return Money(amount=amount, currency=goods.currency)


def _pro_rata(per_km: int, beyond_m: int) -> int:
    return (per_km * beyond_m + 500) // 1000


def _band(tariff: WeightTariff, load: Load) -> Band:
    weight_g = load.weight_g + load.unweighed * tariff.piece_g
    for band in tariff.bands:
        if band.up_to_g is None or weight_g <= band.up_to_g:
            return band
    raise Refused(
        "too_heavy",
        f"the goods weigh {weight_g / 1000:g} kg, and nothing is brought that weighs more than"
        f" {(tariff.bands[-1].up_to_g or 0) / 1000:g} kg: order less at a time",
        weight_g=weight_g,
    )
