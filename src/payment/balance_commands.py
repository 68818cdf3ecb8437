"""What is said about store credit inside the shop: it is given, listed, and accounted for."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from bus.messages import Command, Done, Id, Model, Money, Query, Text
from payment.contract import Balance


class CreditBuyer(Command[Done[Balance]], name="payment.CreditBuyer"):
    """Give a buyer store credit.

    Refused with `nothing_to_credit`, `foreign_currency` and `balance_too_large`.
    """

    buyer_id: Id
    amount: Money
    reason: Text


class ListBalances(Query[tuple[Balance, ...]], name="payment.ListBalances"):
    """Those who ever had store credit, the latest to get some first; as of `min_position` at
    least."""

    limit: int = Field(default=20, ge=1, le=1000)
    min_position: int = Field(default=0, ge=0)


class Entry(Model):
    """A line of a buyer's ledger: what happened, and what the buyer had and could spend then."""

    position: int
    version: int
    type: str
    at: datetime
    data: dict[str, Any]
    balance: Money
    available: Money


class GetLedger(Query[tuple[Entry, ...]], name="payment.GetLedger"):
    """Everything that happened to a buyer's store credit, oldest first; nothing, for a buyer never
    heard of."""

    buyer_id: Id
