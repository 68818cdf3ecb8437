"""One order is one trace: every piece of work hangs on the one that led to it, whichever replica
does it, whatever carries the messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple
from uuid import uuid4

import pytest

from tests.journeys.collector import Collector, Span, collecting
from tests.journeys.conftest import Stock
from tests.journeys.shops import Web, calling
from tests.waiting import eventually

SERVER, INTERNAL, CLIENT, CONSUMER = 2, 1, 3, 5

ON_THE_WAY = {
    "POST /v1/orders",
    "ordering.PlaceOrder",
    "catalog.GetOffers",
    "append ordering",
    "ordering.checkout<ordering ordering.OrderPlaced",
    "catalog.ReserveStock",
    "append catalog",
    "ordering.checkout<catalog catalog.StockReserved",
    "payment.AuthorizePayment",
    "payment.gateway<payment payment.AuthorizationRequested",
    "ordering.checkout<payment payment.PaymentAuthorized",
    "catalog.AllocateStock",
    "delivery.ScheduleDelivery",
    "ordering.checkout<delivery delivery.DeliveryScheduled",
}
"""What happens to an order until its delivery is scheduled, by the names of its spans."""


class Nothing(list[str]):
    """Says what there is, and is true when there is nothing."""

    def __bool__(self) -> bool:
        return not len(self)


class Traced(NamedTuple):
    """Two replicas of a shop whose work is recorded."""

    collector: Collector
    one: Web
    two: Web


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


class Replicas(NamedTuple):
    """Where they are, and the key that opens them."""

    one: str
    two: str
    key: str


@pytest.fixture(scope="module")
def replicas(stock: Stock, collector: Collector, transport: str) -> Iterator[Replicas]:
    shop = stock(
        transport,
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.address,
        OTEL_BSP_SCHEDULE_DELAY="100",
    )
    with shop.shop.serve() as first, shop.shop.serve() as second:
        yield Replicas(first.address, second.address, shop.keys.web)
    assert [*first.complaints[1:], *second.complaints[1:]] == []


@pytest.fixture
async def traced(replicas: Replicas, collector: Collector) -> AsyncIterator[Traced]:
    async with (
        calling(replicas.one, replicas.key) as one,
        calling(replicas.two, replicas.key) as two,
    ):
        yield Traced(collector, one, two)


both = pytest.mark.parametrize("transport", ["inprocess", "loopback"], indirect=True)
either = pytest.mark.parametrize("transport", ["inprocess"], indirect=True)


def connected(spans: Sequence[Span]) -> Span:
    """The one span of a trace that hangs on nothing; all others hang on one another."""
    ids = {span.id for span in spans}
    assert len(ids) == len(spans)
    (root,) = (span for span in spans if span.parent not in ids)
    return root


async def whole(collector: Collector, trace: str, names: set[str]) -> list[Span]:
    """A trace, once all of this is in it and everything hangs together."""

    def missing() -> list[str]:
        spans = collector.of(trace)
        ids = {span.id for span in spans}
        loose = [span.name for span in spans if span.parent not in ids]
        return [*names.difference(span.name for span in spans), *sorted(loose)[1:]]

    await eventually(lambda: Nothing(missing()), every=0.05)
    return collector.of(trace)


@both
async def test_an_order_is_one_connected_trace_on_two_replicas(traced: Traced, sku: str) -> None:
    processes = set()
    for number in range(4):
        trace = uuid4().hex
        web = (traced.one, traced.two)[number % 2]
        web.http.headers["traceparent"] = f"00-{trace}-00f067aa0ba902b7-01"
        order = await web.place(sku)
        assert order["status"] == "confirmed"
        spans = await whole(traced.collector, trace, ON_THE_WAY)
        root = connected(spans)
        assert (root.name, root.kind) == ("POST /v1/orders", SERVER)
        assert root.parent == "00f067aa0ba902b7", "the client's own"
        assert root.facts["http.response.status_code"] == 201
        kinds = {span.name.split()[0]: span.kind for span in spans if span.name in ON_THE_WAY}
        assert kinds["append"] == CLIENT
        assert kinds["payment.gateway<payment"] == CONSUMER
        assert kinds["catalog.ReserveStock"] == INTERNAL
        paying = next(s for s in spans if s.name.startswith("payment.gateway<payment"))
        assert paying.facts["storefold.order_id"] == order["order_id"]
        assert not any(span.failed for span in spans)
        processes |= {span.process for span in spans}
    assert len(processes) == 2
    assert {span.service for span in traced.collector.spans} == {"storefold"}


@either
async def test_a_problem_names_its_trace_and_a_refusal_is_no_failure(
    traced: Traced, sku: str
) -> None:
    unknown = (await traced.one.http.get("/v1/orders/ord_nobody-has-it")).json()
    spans = await whole(traced.collector, unknown["trace_id"], {"ordering.GetOrder"})
    asked = next(span for span in spans if span.name == "ordering.GetOrder")
    assert asked.facts["storefold.refused"] == "unknown_order"
    assert not asked.failed
    assert connected(spans).facts["http.response.status_code"] == 404
    lost = (await traced.one.http.get("/nowhere")).json()
    (alone,) = await whole(traced.collector, lost["trace_id"], {"GET none"})
    assert alone.parent == ""
    probed = {span.name for span in traced.collector.spans}
    assert not any("readyz" in name for name in probed), "nobody wants to read of probes"


@either
async def test_a_client_that_is_not_sampled_is_not_recorded(traced: Traced, sku: str) -> None:
    quiet, loud = uuid4().hex, uuid4().hex
    for trace, flags in ((quiet, "00"), (loud, "01")):
        traced.one.http.headers["traceparent"] = f"00-{trace}-00f067aa0ba902b7-{flags}"
        await traced.one.place(sku)
    await whole(traced.collector, loud, ON_THE_WAY)
    assert traced.collector.of(quiet) == []
