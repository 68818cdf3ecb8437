"""Store credit on the real bus: given once, told by every replica, and never spent twice."""

import asyncio
from typing import Any

import pytest

from bus.dispatch import Bus
from bus.envelope import sealed
from bus.messages import MAX_INTEGER, Done, Invalid, Money, Refused
from bus.transport import InProcess, Loopback
from payment.balance_commands import CreditBuyer, GetLedger, ListBalances
from payment.calls import AuthorizationRequested
from payment.contract import Balance, GetBalance, PaymentAuthorized, PaymentDeclined
from payment.payment import CreditSetAside
from tests.payment.histories import euros
from tests.payment.shop import PRICE, Open, Shop


async def credit(bus: Bus, cents: int, buyer: str = "b1") -> Done[Balance]:
    return await bus.send(CreditBuyer(buyer_id=buyer, amount=euros(cents), reason="a gift"))


async def under_key(bus: Bus, key: str, cents: int) -> Done[Balance]:
    """Credit given under a key, which may come again."""
    command = CreditBuyer(buyer_id="b1", amount=euros(cents), reason="a gift")
    done: Done[Balance] = await bus.deliver(sealed(command, id=key, fingerprint=str(cents)))
    return done


async def sums(shop: Shop, buyer: str = "b1") -> tuple[int, int, int]:
    """The buyer's balance, what of it is set aside, and what can be spent, in cents."""
    found = await shop.bus.ask(GetBalance(buyer_id=buyer))
    assert found.buyer_id == buyer
    return found.balance.amount, found.held.amount, found.available.amount


async def happened(shops: list[Shop], ids: list[str], kind: type[Any]) -> list[Any]:
    """All the events of a kind on these payments."""
    streams = await asyncio.gather(*(shops[0].events(id) for id in ids))
    return [event for stream in streams for event in stream if isinstance(event, kind)]


@pytest.mark.parametrize("transport", [InProcess, Loopback])
async def test_credit_is_given_told_listed_and_accounted_for(
    opened: Open, transport: type[InProcess]
) -> None:
    async with opened(transport=transport) as shop:
        await credit(shop.bus, 10_00)
        done = await credit(shop.bus, 5_00)
        assert (done.answer.balance, done.repeated) == (euros(15_00), False)
        last = await credit(shop.bus, 1_00, "b2")
        await shop.pay("p.1", method="store_credit")
        assert await sums(shop) == (15_00, 10_50, 4_50)
        await shop.capture("p.1", 4_00)
        assert await sums(shop) == (11_00, 0, 11_00)

        entries = await shop.bus.ask(GetLedger(buyer_id="b1"))
        assert [(e.version, e.type, e.balance.amount, e.available.amount) for e in entries] == [
            (1, "payment.CreditGranted", 10_00, 10_00),
            (2, "payment.CreditGranted", 15_00, 15_00),
            (3, "payment.CreditHeld", 15_00, 4_50),
            (4, "payment.CreditTaken", 11_00, 11_00),
        ]
        assert entries[1].position == done.position
        assert entries[0].data == {
            "amount": {"amount": 10_00, "currency": "EUR"},
            "reason": "a gift",
        }

        head = max(last.position, entries[-1].position)
        listed = await shop.bus.ask(ListBalances(min_position=head))
        assert [(each.buyer_id, each.balance.amount) for each in listed] == [
            ("b2", 1_00),
            ("b1", 11_00),
        ]
        assert len(await shop.bus.ask(ListBalances(limit=1))) == 1


async def test_what_is_set_aside_under_a_name_with_dots_is_listed(opened: Open) -> None:
    async with opened() as shop:
        await credit(shop.bus, 11_00)
        await shop.pay("p.1", method="store_credit")
        (held,) = (await shop.bus.ask(GetLedger(buyer_id="b1")))[1:]
        (found,) = await shop.bus.ask(ListBalances(min_position=held.position))
        assert (found.balance, found.held, found.available) == (euros(11_00), PRICE, euros(50))


async def test_a_buyer_never_heard_of_has_nothing(opened: Open) -> None:
    async with opened() as shop:
        nobody = await shop.bus.ask(GetBalance(buyer_id="nobody"))
        assert nobody.balance == nobody.held == nobody.available == euros(0)
        assert await shop.bus.ask(GetLedger(buyer_id="nobody")) == ()
        assert await shop.bus.ask(ListBalances()) == ()


async def test_what_is_refused_leaves_no_trace(opened: Open) -> None:
    async with opened() as shop:
        for amount in (euros(0), Money(amount=1, currency="USD")):
            with pytest.raises(Refused):
                await shop.bus.send(CreditBuyer(buyer_id="b1", amount=amount, reason="a gift"))
        assert await shop.bus.ask(GetLedger(buyer_id="b1")) == ()


async def test_under_one_key_credit_is_given_once_whoever_asks(opened: Open) -> None:
    async with opened() as one, opened() as other:
        buses = (one.bus, other.bus) * 5
        found = await asyncio.gather(*(under_key(bus, "key", MAX_INTEGER) for bus in buses))
        assert sorted(done.repeated for done in found) == [False] + [True] * 9
        assert len({done.position for done in found}) == 1
        assert await sums(one) == await sums(other) == (MAX_INTEGER, 0, MAX_INTEGER)
        with pytest.raises(Invalid):
            await under_key(other.bus, "key", 1)
        with pytest.raises(Refused, match="give less"):
            await under_key(other.bus, "another key", 1)
        assert len(await one.bus.ask(GetLedger(buyer_id="b1"))) == 1


async def test_every_replica_tells_the_latest(opened: Open) -> None:
    async with opened() as one, opened() as other:
        for given in range(1, 6):
            await credit((one, other)[given % 2].bus, 1_00)
            assert await sums(one) == (given * 1_00, 0, given * 1_00)
            assert await sums(other) == (given * 1_00, 0, given * 1_00)


async def test_orders_at_once_at_two_replicas_never_spend_the_same_credit(opened: Open) -> None:
    async with opened() as one, opened() as other:
        shops = [one, other]
        await credit(one.bus, PRICE.amount * 2 + 1)
        ids = [f"p{number}" for number in range(10)]
        await asyncio.gather(
            *(shops[n % 2].pay(id, method="store_credit") for n, id in enumerate(ids))
        )
        assert len(await happened(shops, ids, PaymentAuthorized)) == 2
        declined = await happened(shops, ids, PaymentDeclined)
        assert [event.reason for event in declined] == ["insufficient_credit"] * 8
        for shop in shops:
            assert await sums(shop) == (21_01, 21_00, 1)
        await asyncio.gather(*(shops[n % 2].cancel(id) for n, id in enumerate(ids)))
        for shop in shops:
            assert await sums(shop) == (21_01, 0, 21_01)


async def test_what_credit_leaves_at_once_at_two_replicas_the_cards_pay(opened: Open) -> None:
    async with opened() as one, opened() as other:
        shops = [one, other]
        await credit(one.bus, 15_00)
        ids = [f"p{number}" for number in range(6)]
        await asyncio.gather(*(shops[n % 2].pay(id, use_credit=True) for n, id in enumerate(ids)))
        for id in ids:
            await one.happens(id, PaymentAuthorized)
        by_credit = await happened(shops, ids, CreditSetAside)
        by_card = await happened(shops, ids, AuthorizationRequested)
        assert sum(event.amount.amount for event in by_credit) == 15_00
        assert sum(event.amount.amount for event in by_card) == 6 * PRICE.amount - 15_00
        assert await sums(other) == (15_00, 15_00, 0)
