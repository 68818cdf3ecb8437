"""Money is exact: it adds up, is shared out to the last cent, and is read as it is written."""

import ast
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bus.currency import PLACES, places_of
from bus.messages import MAX_INTEGER, Money

SOURCE = Path(__file__).parent.parent.parent / "src"

KNOWN = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD "
    "CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL "
    "GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR "
    "LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD "
    "PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC "
    "SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR "
    "ZMW ZWG",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
"""Every currency that a release has known: logs may hold amounts in it. Only ever added to."""

amounts = st.integers(0, MAX_INTEGER)
currencies = st.sampled_from(sorted(PLACES))
money = st.builds(Money, amount=amounts, currency=currencies)


def euros(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


@pytest.mark.parametrize("places", KNOWN)
def test_a_currency_once_known_keeps_its_decimal_places_for_ever(places: int) -> None:
    """When ISO withdraws one, keep it in `bus.currency` for the sake of the logs."""
    for currency in KNOWN[places].split():
        assert PLACES.get(currency) == places, currency


def test_every_currency_that_is_taken_is_on_record() -> None:
    assert set(PLACES) == set(" ".join(KNOWN.values()).split()), "new at ISO? add it to KNOWN"


@pytest.mark.parametrize(
    "currency",
    [
        "XAU",
        "XAG",
        "XDR",
        "XTS",
        "XXX",
        "ABC",
        "BTC",
        "eur",
        "EURO",
        "EU",
        "EUR\n",
        "ＥＵＲ",
        "",
        " ",
    ],
)
def test_what_is_no_currency_with_a_minor_unit_is_refused(currency: str) -> None:
    with pytest.raises(ValidationError, match="a currency of ISO 4217 that has a minor unit"):
        Money(amount=1, currency=currency)
    with pytest.raises(ValueError, match="a currency of ISO 4217 that has a minor unit"):
        places_of(currency)
    with pytest.raises(ValueError, match="a currency of ISO 4217 that has a minor unit"):
        Money.parse("1", currency)


@pytest.mark.parametrize(
    "amount",
    [-1, 2**53, 2**64, True, 1.0, 10.5, float("nan"), float("inf"), Decimal(1), "1", None],
    ids=repr,
)
def test_what_is_no_whole_number_of_minor_units_is_refused(amount: Any) -> None:
    with pytest.raises(ValidationError) as refused:
        Money(amount=amount, currency="EUR")
    assert [error["loc"] for error in refused.value.errors()] == [("amount",)]


@pytest.mark.parametrize("amount", ["-1", "9007199254740992", "1.0", "1e2", "true", "null", '"1"'])
def test_json_that_is_no_whole_number_of_minor_units_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate_json(f'{{"amount": {amount}, "currency": "EUR"}}')


@pytest.mark.parametrize("quantity", [-1, 1.0, 0.5, float("nan"), MAX_INTEGER])
def test_what_is_no_multiple_is_refused(quantity: Any) -> None:
    with pytest.raises(ValueError, match="amount"):
        euros(2).times(quantity)


@given(amounts, amounts)
def test_money_adds_up_or_says_that_it_does_not(one: int, other: int) -> None:
    a, b = euros(one), euros(other)
    if one + other <= MAX_INTEGER:
        assert a + b == b + a == euros(one + other)
        assert a + b - b == a
    else:
        with pytest.raises(ValueError, match="amount"):
            a + b
    if other <= one:
        assert a - b == euros(one - other)
    else:
        with pytest.raises(ValueError, match="amount"):
            a - b
    assert a.zero() + a == a - a.zero() == a


@given(st.integers(0, 10**12), st.integers(0, 1000))
def test_times_is_adding_so_often(amount: int, quantity: int) -> None:
    assert euros(amount).times(quantity) == euros(amount * quantity)


def test_currencies_do_not_mix() -> None:
    francs = Money(amount=1, currency="CHF")
    for mix in (euros(1).__add__, euros(1).__sub__):
        with pytest.raises(ValueError, match="EUR and CHF"):
            mix(francs)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        (1050, "EUR", "10.50 EUR"),
        (7, "EUR", "0.07 EUR"),
        (0, "EUR", "0.00 EUR"),
        (1050, "JPY", "1050 JPY"),
        (0, "JPY", "0 JPY"),
        (1050, "KWD", "1.050 KWD"),
        (1050, "CLF", "0.1050 CLF"),
        (MAX_INTEGER, "EUR", "90071992547409.91 EUR"),
    ],
)
def test_money_is_written_with_the_places_of_its_currency(
    amount: int, currency: str, text: str
) -> None:
    assert str(Money(amount=amount, currency=currency)) == text


@given(money)
def test_what_is_written_is_read_back(amount: Money) -> None:
    assert Money.parse(str(amount).removesuffix(f" {amount.currency}"), amount.currency) == amount
    assert Money.model_validate_json(amount.model_dump_json()) == amount


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("10.5", "EUR", 1050),
        (" 010.500 ", "EUR", 1050),
        ("7.000", "JPY", 7),
        ("0.1234", "CLF", 1234),
    ],
)
def test_an_amount_is_read_in_its_currency(text: str, currency: str, minor: int) -> None:
    assert Money.parse(text, currency) == Money(amount=minor, currency=currency)


@pytest.mark.parametrize(
    ("text", "currency", "says"),
    [
        ("10.505", "EUR", "10.505 is no amount of EUR, which has 2 decimal places"),
        ("10.5", "JPY", "10.5 is no amount of JPY, which has 0 decimal places"),
        ("10000000000000.000000000000001", "EUR", "which has 2 decimal places"),
        ("90071992547409.92", "EUR", "is more than can be kept, which is 90071992547409.91 EUR"),
        ("9" * 4000, "EUR", "write a plain decimal number, such as 10.50"),
        ("1,50", "KWD", "'1,50' is no amount of KWD: write a plain decimal number, such as 1.050"),
        *((text, "EUR", "write a plain decimal number") for text in (
            "", "-1", "+1", "1e3", "1_000", ".5", "5.", "€5", "NaN", "Infinity", "٣", "0x10",
        )),
    ],
)  # fmt: skip
def test_what_is_no_amount_is_refused(text: str, currency: str, says: str) -> None:
    with pytest.raises(ValueError, match="is ") as refused:
        Money.parse(text, currency)
    assert says in str(refused.value)
    assert len(str(refused.value)) < 200


weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=30).filter(any)


@given(money, weights)
def test_sharing_out_loses_no_cent_and_is_as_fair_as_can_be(
    total: Money, weights: list[int]
) -> None:
    shares = total.allocate(weights)
    assert len(shares) == len(weights)
    assert sum(shares, total.zero()) == total
    for share, weight in zip(shares, weights, strict=True):
        exact = Fraction(total.amount * weight, sum(weights))
        assert abs(share.amount - exact) < 1
        assert weight or not share.amount
    shared = sorted(zip(weights, (share.amount for share in shares), strict=True))
    assert [amount for _, amount in shared] == sorted(amount for _, amount in shared)
    assert total.allocate(weights) == shares


@given(money, weights, st.integers(1, 1000))
def test_sharing_out_knows_only_proportions(total: Money, weights: list[int], times: int) -> None:
    assert total.allocate([weight * times for weight in weights]) == total.allocate(weights)


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (100, (1, 1, 1), (34, 33, 33)),
        (200, (1, 1, 1), (67, 67, 66)),
        (5, (0, 3, 7), (0, 2, 3)),
        (1, (0, 1, 1), (0, 1, 0)),
        (10, (1, 2, 4), (1, 3, 6)),
        (0, (1, 2), (0, 0)),
        (MAX_INTEGER, (1,), (MAX_INTEGER,)),
    ],
)
def test_what_is_left_goes_to_those_who_lost_most(
    total: int, weights: tuple[int, ...], shares: tuple[int, ...]
) -> None:
    assert euros(total).allocate(weights) == tuple(map(euros, shares))


@pytest.mark.parametrize("weights", [(), (0,), (0, 0), (1, -1), (1.0,), (True,), (Decimal(1),)])
def test_money_cannot_be_shared_out_by(weights: Any) -> None:
    with pytest.raises(ValueError, match=r"cannot share out 10\.50 EUR"):
        euros(1050).allocate(weights)


def inexact(source: str) -> Iterator[int]:
    """The lines on which a function that makes money divides, rounds, or knows of floats."""
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        if "Money" not in names:
            continue
        for node in ast.walk(function):
            match node:
                case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                    yield node.lineno
                case ast.Constant(value=float()) | ast.Name(id="float" | "round"):
                    yield node.lineno


def test_no_function_that_makes_money_knows_of_floats() -> None:
    found = {
        f"{path.relative_to(SOURCE)}:{line}"
        for path in SOURCE.rglob("*.py")
        for line in inexact(path.read_text())
    }
    assert not found


@pytest.mark.parametrize("sum", ["a / 2", "a * 1.5", "round(a)", "int(float(a))"])
def test_a_function_that_makes_money_of_floats_is_found(sum: str) -> None:
    assert set(inexact(f"def half(a):\n    return Money(amount={sum}, currency='EUR')")) == {2}
    assert not set(inexact(f"def half(a):\n    return {sum}"))
