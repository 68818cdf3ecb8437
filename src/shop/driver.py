"""A driver who is not there: `shop deliveries drive` brings the goods along their real way, and
says so over REST, as a carrier would."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from bus.console import AsJson, Open, Running, fail, progress, show, stderr
from bus.messages import Address, NotFound, Position, Refused
from delivery.commands import ListWarehouses
from delivery.contract import DeliveryDocument, GetDelivery
from delivery.delivery import ENDS, HOUSE
from maps.contract import Directions, Locate, Way

if TYPE_CHECKING:  # what a drive needs is loaded when there is one
    import httpx

    from delivery.drive import Drive, Report
    from shop.keys import Keys

KEY_LASTS = timedelta(hours=12)
"""For how long the driver's key opens, if nobody revokes it before."""

ADDRESS = "http://127.0.0.1:8000"

COLUMNS = ("after", "status", "lat", "lon", "distance_remaining_m", "eta")


class Job(NamedTuple):
    """What is to be driven: whose delivery it is, which way, and whether the goods are on the van
    already."""

    delivery_id: str
    carrier: str
    way: Way
    picked_up: bool


def add_to(deliveries: typer.Typer, opened: Open) -> None:
    """Put `drive` beside the other commands of `shop deliveries`."""

    @deliveries.command()
    def drive(
        delivery_id: Annotated[str, typer.Argument(help="The delivery's id.")],
        speed: Annotated[
            float, typer.Option(parser=factor, metavar="FACTOR", help="How much faster: 20x.")
        ] = 1.0,
        every: Annotated[
            float, typer.Option(min=0.05, max=60, help="Seconds between two reports.")
        ] = 1.0,
        url: Annotated[
            str, typer.Option(envvar="SHOP_URL", help="Where the shop takes requests.")
        ] = ADDRESS,
        as_json: bool = AsJson,
    ) -> None:
        """Drive a delivery along its way to the door, reporting over REST as its carrier would."""
        from delivery.drive import Drive

        with opened() as running:
            job = running.run(job_of(running, delivery_id))
            with key_of(running, job.carrier) as key:
                trip = Drive(job.way, speed, every)
                stderr.print(
                    f"{job.way.distance_m / 1000:.1f} km ({job.way.source}), in {trip.lasts:.0f} s"
                )
                for line in driven(job, trip, url, key):
                    show([line], COLUMNS, as_json=True) if as_json else say(line)


def factor(said: str | float) -> float:
    """How much faster: `20x`, `1.5`."""
    text = str(said)  # the default is read as well
    if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?x?", text) or not 0 < float(text.rstrip("x")) <= 1000:
        raise typer.BadParameter(f"{text} is no speed: write 20x, at most 1000x")
    return float(text.rstrip("x"))


async def job_of(running: Running, delivery_id: str) -> Job:
    """Which way a delivery has to go from where it was last seen. Refused with `unknown_delivery`,
    `delivery_ended` and `unreachable`."""
    found = await running.bus.ask(GetDelivery(delivery_id=delivery_id))
    delivery = DeliveryDocument.model_validate_json(found.body)
    if delivery.status in ENDS or delivery.destination is None:
        raise Refused(
            "delivery_ended",
            f"delivery {delivery_id} is {delivery.status}: there is nothing to drive",
        )
    at = delivery.position
    start = Position(lat=at.lat, lon=at.lon) if at else await _start(running, delivery)
    waypoints = (start, await _position(running, delivery.destination))
    way = await running.bus.ask(Directions(waypoints=waypoints))
    if way is None or len(way.line) < 2:
        raise Refused("unreachable", f"no road leads to the door of {delivery_id}")
    picked_up = any(scan.status == "picked_up" for scan in delivery.checkpoints)
    carrier = "driver" if delivery.carrier == HOUSE else delivery.carrier
    return Job(delivery_id, carrier, way, picked_up)


async def _start(running: Running, delivery: DeliveryDocument) -> Position:
    """Where it sets out from: the door it is fetched at, or its warehouse."""
    if delivery.origin is not None:
        return await _position(running, delivery.origin)
    for warehouse in await running.bus.ask(ListWarehouses()):
        if warehouse.warehouse_id == delivery.warehouse_id:
            return warehouse.position
    raise NotFound("unknown_warehouse", f"there is no warehouse {delivery.warehouse_id}")


async def _position(running: Running, address: Address) -> Position:
    return (await running.bus.ask(Locate(address=address))).position


@contextmanager
def key_of(running: Any, carrier: str) -> Iterator[str]:
    """A key of the carrier's for the length of the drive."""
    keys: Keys = running.shop.keys()
    made = running.run(keys.make(carrier, "carrier", KEY_LASTS))
    try:
        yield made.key
    finally:
        running.run(keys.revoke(made.key))


def driven(job: Job, trip: Drive, url: str, key: str) -> Iterator[dict[str, Any]]:
    """Make each report when its time has come; what the shop answers to it."""
    import httpx

    began = time.monotonic()
    headers = {"Authorization": f"Bearer {key}"}
    with (
        httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False) as http,
        progress() as bar,
    ):
        way = bar.add_task("on the road", total=job.way.distance_m)
        for report in trip.reports(picked_up=job.picked_up):
            # It is the time itself that is waited for: a drive takes as long as it takes.
            time.sleep(max(began + report.after - time.monotonic(), 0))
            answer = reported(http, job.delivery_id, report)
            left = answer.get("distance_remaining_m", 0 if report.status != "picked_up" else None)
            bar.update(way, completed=job.way.distance_m - (left or 0), description=report.status)
            yield {
                "after": round(report.after, 1),
                "status": answer["status"],
                "lat": report.position.lat,
                "lon": report.position.lon,
                "distance_remaining_m": answer.get("distance_remaining_m"),
                "eta": answer.get("eta"),
            }


def reported(http: httpx.Client, delivery_id: str, report: Report) -> dict[str, Any]:
    """What the shop answers to a report; ends the command when it does not take it."""
    body: dict[str, Any] = {"status": report.status, "position": report.position.model_dump()}
    if report.status == "delivered":
        body["proof"] = {"name": "the driver's word", "note": "a drive that was simulated"}
    import httpx

    path = f"/v1/deliveries/{delivery_id}/checkpoints"
    try:
        answer = http.post(path, json=body)
    except httpx.TransportError:
        fail(f"no shop answers at {http.base_url}: start it with `make run`, or name it with --url")
    found: dict[str, Any] = answer.json()
    if answer.status_code != 200:
        fail(f"the shop does not take that it is {report.status}: {found.get('detail')}")
    return found


def say(line: dict[str, Any]) -> None:
    """A report for people: only what is news."""
    if line["status"] != "en_route":
        typer.echo(f"{line['after']:7.1f} s  {line['status']}")
