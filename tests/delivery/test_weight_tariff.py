"""Tariffs by weight, and the table in which an operator writes tariffs."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bus.messages import Money, Refused
from delivery.tariff import AnyTariff, Band, Load, Tariff, Tariffs, WeightTariff, cost
from delivery.tariff_table import tariffs_in

PARCEL = WeightTariff(
    bands=(
        Band(up_to_g=2_000, base=4_90),
        Band(up_to_g=10_000, base=9_90, free_distance_m=30_000, per_km=10),
        Band(base=24_90, free_distance_m=10_000, per_km=33),
    )
)
GOODS = Money(amount=1, currency="EUR")

TABLE = """
[parcel]
piece_g = 500
bands = [
  { up_to_g = 2000, base = 490 },
  { up_to_g = 30000, base = 990, free_distance_m = 30000, per_km = 10 },
]

[hills]
base = 9000
"""


def amount(tariff: WeightTariff, weight_g: int, distance_m: int = 0, unweighed: int = 0) -> int:
    return cost(tariff, GOODS, distance_m, Load(weight_g, unweighed)).amount


@pytest.mark.parametrize(
    ("weight_g", "distance_m", "expected"),
    [
        (0, 0, 4_90),
        (2_000, 10**6, 4_90),
        (2_001, 30_000, 9_90),
        (2_001, 30_049, 9_90),
        (2_001, 30_050, 9_91),  # half a cent, half up
        (10_000, 31_000, 10_00),
        (10_001, 10_000, 24_90),
        (10**9, 11_000, 25_23),
    ],
)
def test_what_goods_of_a_weight_cost_at_the_edges(
    weight_g: int, distance_m: int, expected: int
) -> None:
    assert amount(PARCEL, weight_g, distance_m) == expected


def test_a_piece_of_which_nobody_knows_is_taken_to_weigh_something() -> None:
    assert amount(PARCEL, 1_000, unweighed=1) == 4_90
    assert amount(PARCEL, 1_001, unweighed=1) == 9_90
    light = PARCEL.model_copy(update={"piece_g": 0})
    assert amount(light, 2_000, unweighed=100) == 4_90


def test_what_is_heavier_than_the_last_band_is_not_brought() -> None:
    limited = WeightTariff(bands=PARCEL.bands[:2])
    assert amount(limited, 10_000) == 9_90
    with pytest.raises(Refused, match=r"weigh 10\.001 kg, .* more than 10 kg") as refused:
        amount(limited, 10_001)
    assert refused.value.code == "too_heavy"


@pytest.mark.parametrize(
    ("bands", "complaint"),
    [
        ((), "at least 1"),
        ((Band(base=1), Band(up_to_g=5, base=2)), "only the last band is without up_to_g"),
        ((Band(up_to_g=5, base=1), Band(up_to_g=5, base=2)), "band 2 ends before"),
        ((Band(up_to_g=5, base=2), Band(base=1)), "band 2, of heavier goods, costs less"),
        ((Band(up_to_g=5, base=1, per_km=2), Band(base=1, per_km=1)), "costs less"),
        (
            (
                Band(up_to_g=5, base=1, per_km=5),
                Band(base=1, free_distance_m=1_000, per_km=9),
            ),
            "costs less",
        ),
    ],
)
def test_bands_rise(bands: tuple[Band, ...], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        WeightTariff(bands=bands)


@st.composite
def tariffs(draw: st.DrawFn) -> WeightTariff:
    """Tariffs by weight, of bands that rise."""
    count = draw(st.integers(1, 5))
    limits = sorted(draw(st.sets(st.integers(1, 50_000), min_size=count, max_size=count)))
    bases = sorted(draw(st.lists(st.integers(0, 10_000), min_size=count, max_size=count)))
    rates = sorted(draw(st.lists(st.integers(0, 5_000), min_size=count, max_size=count)))
    free = sorted(draw(st.lists(st.integers(0, 10**5), min_size=count, max_size=count)))[::-1]
    bands = [
        Band(up_to_g=limit, base=base, per_km=rate, free_distance_m=distance)
        for limit, base, rate, distance in zip(limits, bases, rates, free, strict=True)
    ]
    bands[-1] = bands[-1].model_copy(update={"up_to_g": None})
    return WeightTariff(bands=tuple(bands))


grams, metres = st.integers(0, 100_000), st.integers(0, 10**6)


@given(tariffs(), grams, grams, metres, metres)
def test_what_is_heavier_or_farther_never_costs_less(
    tariff: WeightTariff, one: int, other: int, here: int, there: int
) -> None:
    light, heavy = sorted((one, other))
    near, far = sorted((here, there))
    assert amount(tariff, light, near) <= amount(tariff, heavy, near)
    assert amount(tariff, light, near) <= amount(tariff, light, far)


def test_a_table_holds_tariffs_by_weight_and_by_the_way() -> None:
    default = Tariff(base=1_00, flat=2_00)
    found = tariffs_in(TABLE, default)
    assert found == {
        "parcel": WeightTariff(
            bands=(
                Band(up_to_g=2_000, base=4_90),
                Band(up_to_g=30_000, base=9_90, free_distance_m=30_000, per_km=10),
            ),
            piece_g=500,
        ),
        "hills": default.model_copy(update={"base": 90_00}),
    }
    as_json = '{"hills": {"base": 9000}, "light": {"bands": [{"base": 1}]}}'
    assert set(tariffs_in(as_json, default, as_json=True)) == {"hills", "light"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[hills", "no TOML"),
        ("hills = 5", "hills is to be a table of figures"),
        ("[hills]\nprice = 5", "hills.price: Extra inputs"),
        ("[hills]\nper_km = 15.5", "hills.per_km: Input should be a valid integer"),
        ("[hills]\nbase = -1", "hills.base: Input should be greater than"),
        ("[hills]\nbase = 2026-01-01", "hills: Object of type date"),
        ("[parcel]\nbands = []", "parcel.bands: Tuple should have at least 1"),
        ("[parcel]\nbands = [{up_to_g = 5}]", "parcel.bands.0.base: Field required"),
        ("[parcel]\nbands = [{base = 2, up_to_g = 5}, {base = 1}]", "parcel.bands: band 2, of"),
        ("[default]\nbase = 1", "default is what SHOP_TARIFF calls another"),
        ("[zone]\nbase = 1", "zone is what SHOP_TARIFF calls another"),
        ('["a b"]\nbase = 1', "'a b' is no name for a tariff"),
    ],
)
def test_what_is_wrong_in_a_table_is_named_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)) as refused:
        tariffs_in(text, Tariff())
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("text", ["[]", "nothing", "{" * 100_000, '{"a": {"base": NaN}}'])
def test_a_json_file_that_is_no_table_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|object|integer|Invalid"):
        tariffs_in(text, Tariff(), as_json=True)


def test_settings_choose_the_tariff_that_applies() -> None:
    hills = Tariff(base=1)
    table: dict[str, AnyTariff] = {"hills": hills, "parcel": PARCEL}
    assert Tariffs(named=table).of("hills") == Tariff()
    assert Tariffs(named=table, applies="parcel").of("hills") == PARCEL
    by_zone = Tariffs(named=table, applies="zone")
    assert (by_zone.of("hills"), by_zone.of("parcel")) == (hills, PARCEL)
    assert by_zone.of(None) == by_zone.of("default") == Tariff()


def test_a_zone_whose_tariff_there_is_not_is_told() -> None:
    with pytest.raises(Refused, match="tariff hills, which is not in SHOP_TARIFF_TABLE") as refused:
        Tariffs(applies="zone").of("hills")
    assert refused.value.code == "unknown_tariff"
