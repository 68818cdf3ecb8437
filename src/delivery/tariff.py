"""What it costs to bring goods: the tariff of the shop."""

from __future__ import annotations

from dataclasses import dataclass

from bus.messages import Money


@dataclass(frozen=True, slots=True)
class Tariff:
    """A tariff; amounts are in minor units of the currency of the goods, distances in metres."""

    threshold: int = 500_00
    """Goods worth this much or more are dear: free within the free distance, `flat` beyond it."""
    free_distance_m: int = 30_000
    base: int = 50_00
    """What the way costs for other goods, as far as the free distance goes."""
    flat: int = 50_00
    per_km: int = 15_00
    """What each kilometre beyond the free distance adds to `base`, pro rata."""


def cost(tariff: Tariff, goods: Money, distance_m: int) -> Money:
    """What it costs to bring goods worth `goods` so far, rounded half up to the minor unit."""
    beyond_m = max(distance_m - tariff.free_distance_m, 0)
    if goods.amount >= tariff.threshold:
        amount = tariff.flat if beyond_m else 0
    else:
        amount = tariff.base + (tariff.per_km * beyond_m + 500) // 1000
    return Money(amount=amount, currency=goods.currency)
