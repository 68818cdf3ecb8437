"""What a SKU costs and when: prices by currency, each from its moment on."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Event, Money, Refused
from catalog.item import Item, ItemEvent, ItemListed, PriceCalledOff, PriceChanged, evolve
from catalog.price_list import AHEAD, call_off_price, change_price
from catalog.prices import KEPT, price_at

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON, LATER = NOW + timedelta(hours=1), NOW + timedelta(days=1)
MOMENT = timedelta(milliseconds=1)


def eur(amount: int) -> Money:
    return Money(amount=amount, currency="EUR")


LISTED = ItemListed(sku="MUG", product_id="mug", name="Mug", price=eur(1000))


def after(*events: Event) -> Item:
    return taken(evolve(None, LISTED), events)


def taken(item: Item, events: Iterable[Event]) -> Item:
    for event in events:
        assert isinstance(event, ItemEvent)
        item = evolve(item, event)
    return item


def costs(item: Item, at: datetime, currency: str = "EUR") -> int | None:
    price = price_at(item.prices, currency, at)
    return price.amount if price else None


def test_a_price_holds_from_now_on() -> None:
    (changed,) = change_price(after(), "MUG", eur(1200), NOW, why="dearer clay")
    assert changed == PriceChanged(sku="MUG", price=eur(1200), starts=NOW, reason="dearer clay")
    item = after(changed)
    assert (costs(item, NOW - MOMENT), costs(item, NOW)) == (1000, 1200)


def test_the_price_it_has_already_is_no_news() -> None:
    assert change_price(after(), "MUG", eur(1000), NOW) == []
    assert change_price(after(), "MUG", eur(1000), NOW, NOW) == []
    (sale,) = change_price(after(), "MUG", eur(800), NOW, SOON)
    assert change_price(after(sale), "MUG", eur(800), NOW, SOON) == []


def test_a_price_starts_exactly_at_its_moment() -> None:
    item = after(*change_price(after(), "MUG", eur(800), NOW, SOON))
    assert (costs(item, SOON - MOMENT), costs(item, SOON)) == (1000, 800)


def test_a_moment_is_kept_as_the_log_keeps_it() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    typed = (SOON + timedelta(microseconds=700)).astimezone(east)
    (sale,) = change_price(after(), "MUG", eur(800), NOW, typed)
    assert isinstance(sale, PriceChanged)
    assert (sale.starts, str(sale.starts)[-6:]) == (SOON, "+00:00")
    assert change_price(after(sale), "MUG", eur(800), NOW, typed) == []
    assert call_off_price(after(sale), "MUG", "EUR", typed, NOW) != []


def test_a_moment_that_has_passed_is_now() -> None:
    (changed,) = change_price(after(), "MUG", eur(1200), NOW, NOW - timedelta(days=9))
    assert changed == PriceChanged(sku="MUG", price=eur(1200), starts=NOW)


def test_a_price_from_now_on_ends_where_the_next_one_starts() -> None:
    sale = change_price(after(), "MUG", eur(800), NOW, LATER)
    item = after(*sale, *change_price(after(*sale), "MUG", eur(1200), SOON))
    assert [costs(item, at) for at in (NOW, SOON, LATER)] == [1000, 1200, 800]


def test_a_waiting_price_is_replaced_by_one_for_the_same_moment() -> None:
    first = change_price(after(), "MUG", eur(800), NOW, SOON)
    item = after(*first, *change_price(after(*first), "MUG", eur(700), NOW, SOON))
    assert costs(item, SOON) == 700
    assert len(item.prices["EUR"]) == 2


def test_a_price_that_is_called_off_never_starts() -> None:
    sale = change_price(after(), "MUG", eur(800), NOW, SOON)
    off = call_off_price(after(*sale), "MUG", "EUR", SOON, NOW, "the clay came late")
    assert off == [
        PriceCalledOff(sku="MUG", currency="EUR", starts=SOON, reason="the clay came late")
    ]
    item = after(*sale, *off)
    assert costs(item, LATER) == 1000
    with pytest.raises(Refused, match="no price of MUG in EUR starts at") as refused:
        call_off_price(item, "MUG", "EUR", SOON, NOW)
    assert refused.value.code == "unknown_price"


def test_a_price_that_holds_cannot_be_called_off() -> None:
    item = after(*change_price(after(), "MUG", eur(800), NOW, SOON))
    assert call_off_price(item, "MUG", "EUR", SOON, SOON - MOMENT)
    with pytest.raises(Refused, match="has held since") as refused:
        call_off_price(item, "MUG", "EUR", SOON, SOON)
    assert refused.value.code == "price_started"


def test_each_currency_has_its_own_prices() -> None:
    yen = Money(amount=1900, currency="JPY")
    item = after(*change_price(after(), "MUG", yen, NOW, SOON))
    assert [costs(item, at, "JPY") for at in (NOW, SOON)] == [None, 1900]
    assert costs(item, SOON) == 1000
    with pytest.raises(Refused, match="no price of MUG in EUR"):
        call_off_price(item, "MUG", "EUR", SOON, NOW)


def test_so_many_prices_wait_and_no_more() -> None:
    item = after()
    for hour in range(1, AHEAD + 1):
        sale = change_price(item, "MUG", eur(900 - hour), NOW, NOW + timedelta(hours=hour))
        item = taken(item, sale)
    last = NOW + timedelta(hours=AHEAD)
    with pytest.raises(Refused, match="25 prices of MUG in EUR wait") as refused:
        change_price(item, "MUG", eur(1), NOW, last + MOMENT)
    assert refused.value.code == "too_many_prices"
    assert change_price(item, "MUG", eur(1), NOW, last) != []  # in the place of another
    assert change_price(item, "MUG", Money(amount=1, currency="USD"), NOW, last) != []
    assert change_price(item, "MUG", eur(1), SOON, last + MOMENT) != []  # one has started


def test_of_prices_that_are_long_over_no_more_are_known_than_needed() -> None:
    item = after(*change_price(after(), "MUG", eur(1), NOW, LATER))
    for minute in range(KEPT + 10):
        at = NOW + timedelta(minutes=minute)
        item = taken(item, change_price(item, "MUG", eur(100 + minute), at))
        assert costs(item, at) == 100 + minute
    assert (len(item.prices["EUR"]), costs(item, LATER)) == (KEPT, 1)


def test_no_price_waits_for_more_than_ten_years() -> None:
    west = timezone(timedelta(hours=-12))
    for far in (NOW + timedelta(days=3654), datetime.max.replace(tzinfo=west)):
        with pytest.raises(Refused, match="more than ten years ahead") as refused:
            change_price(after(), "MUG", eur(1), NOW, far)
        assert refused.value.code == "too_far_ahead"
    with pytest.raises(Refused, match="no price of MUG"):
        call_off_price(after(), "MUG", "EUR", datetime.max.replace(tzinfo=west), NOW)


def test_a_price_of_an_older_release_takes_the_place_of_all() -> None:
    item = after(PriceChanged(sku="MUG", price=eur(1200)))
    assert costs(item, datetime(1990, 1, 1, tzinfo=UTC)) == 1200


STEPS = st.lists(
    st.tuples(st.integers(1, 40), st.integers(0, 90), st.integers(1, 9), st.booleans()),
    max_size=120,
)


@given(STEPS)
def test_what_holds_now_is_never_forgotten(steps: list[tuple[int, int, int, bool]]) -> None:
    """However often prices are set, scheduled and called off: against a list of all of them."""
    item, now = after(), NOW
    all_ever: dict[datetime, int] = {datetime.min.replace(tzinfo=UTC): 1000}
    for wait, ahead, amount, off in steps:
        now += timedelta(minutes=wait)
        starts = now + timedelta(minutes=ahead)
        try:
            if off:
                events = call_off_price(item, "MUG", "EUR", starts, now)
                del all_ever[starts]
            else:
                events = change_price(item, "MUG", eur(amount), now, starts)
                if events:
                    all_ever[starts] = amount
        except Refused:
            continue
        item = taken(item, events)
        assert len(item.prices["EUR"]) <= KEPT
        for at in (now, now + timedelta(minutes=30), now + timedelta(days=1)):
            assert costs(item, at) == all_ever[max(s for s in all_ever if s <= at)]
