"""The default tariff to the metre and the cent, and the laws of every tariff."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Money
from delivery.tariff import Tariff, cost

DEFAULT = Tariff()


def eur(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


@pytest.mark.parametrize(
    ("goods", "distance_m", "expected"),
    [
        (500_00, 0, 0),
        (500_00, 30_000, 0),
        (500_00, 30_001, 50_00),
        (500_00, 20_000_000, 50_00),
        (500_01, 30_000, 0),
        (1, 0, 50_00),
        (499_99, 0, 50_00),
        (499_99, 30_000, 50_00),
        (499_99, 30_001, 50_02),  # 1.5 cents, half up
        (499_99, 30_002, 50_03),
        (499_99, 30_003, 50_05),  # 4.5 cents
        (499_99, 30_500, 57_50),
        (499_99, 31_000, 65_00),
        (499_99, 130_000, 1_550_00),
    ],
)
def test_the_default_tariff_at_its_edges(goods: int, distance_m: int, expected: int) -> None:
    assert cost(DEFAULT, eur(goods), distance_m) == eur(expected)


def test_a_third_of_a_cent_is_rounded_down_and_a_half_up() -> None:
    cheap = Tariff(threshold=1000, free_distance_m=0, base=0, flat=0, per_km=1)
    told = [cost(cheap, eur(1), distance_m).amount for distance_m in (333, 499, 500, 1499, 1500)]
    assert told == [0, 0, 1, 1, 2]


def test_the_cost_is_in_the_currency_of_the_goods() -> None:
    francs = Money(amount=1, currency="CHF")
    assert cost(DEFAULT, francs, 1) == Money(amount=50_00, currency="CHF")


amounts = st.integers(0, 100_000_00)
distances = st.integers(0, 30_000_000)
tariffs = st.builds(
    Tariff,
    threshold=amounts,
    free_distance_m=distances,
    base=amounts,
    flat=amounts,
    per_km=st.integers(0, 1_000_00),
)


@given(tariffs, amounts, distances, distances)
def test_a_longer_way_never_costs_less(tariff: Tariff, goods: int, one: int, other: int) -> None:
    near, far = sorted((one, other))
    assert cost(tariff, eur(goods), near).amount <= cost(tariff, eur(goods), far).amount


@given(tariffs, amounts, distances)
def test_cheap_goods_never_cost_less_than_the_base(
    tariff: Tariff, goods: int, distance_m: int
) -> None:
    if goods < tariff.threshold:
        assert cost(tariff, eur(goods), distance_m).amount >= tariff.base


@given(tariffs, amounts, distances, distances)
def test_dear_goods_cost_nothing_or_one_flat_amount(
    tariff: Tariff, goods: int, one: int, other: int
) -> None:
    dear = eur(tariff.threshold + goods)
    assert {cost(tariff, dear, one).amount, cost(tariff, dear, other).amount} <= {0, tariff.flat}


@given(tariffs, distances)
def test_rounding_is_off_by_half_a_cent_at_most(tariff: Tariff, distance_m: int) -> None:
    if tariff.threshold > 0:
        beyond_m = max(distance_m - tariff.free_distance_m, 0)
        exact = tariff.base * 1000 + tariff.per_km * beyond_m
        assert -500 < cost(tariff, eur(0), distance_m).amount * 1000 - exact <= 500
