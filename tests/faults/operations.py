"""Buyers and carriers at a shop on a bad day: what each asked for, and what they were told.

They do as a careful web shop does: no answer, so the same Idempotency-Key again, at the other
replica. Some lose patience, and then nobody knows whether it was done.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, NamedTuple

import httpx

from tests.faults.plans import Plan, planned
from tests.journeys.conftest import Keys

Outcome = Literal["ok", "failed", "unknown"]

AT_ONCE = 12
"""Buyers at once, at most; and as many parcels on the road."""

ANSWERED_WITHIN = 5.0
"""Seconds for which a client waits for an answer, besides those that it asked to wait."""

PATIENCE = 60.0
"""Seconds for which a client asks again."""

NEWS_WITHIN = 5.0
"""Seconds after which every replica shows what one has shown; a poll covers a lost ring."""

AGAIN = {429, 502, 503}
"""Answers upon which one asks again; any other 4xx is a no."""

SCANS = ("picked_up", "en_route", "delivered")


class Told(NamedTuple):
    """An order as a client was shown it."""

    order_id: str
    version: int
    body: dict[str, Any]


@dataclass
class Operation:
    """One thing that was asked for: `ok` with its answer, `failed` when it was refused, `unknown`
    when nobody ever answered."""

    what: str
    key: str
    about: str
    """The buyer of an order that is placed; else the order, or the delivery."""
    outcome: Outcome = "unknown"
    status: int = 0
    tries: int = 0
    answer: dict[str, Any] = field(default_factory=dict)


class Customers:
    """Everybody who calls the shop, and the record of it."""

    def __init__(
        self,
        seed: str,
        keys: Keys,
        addresses: Callable[[], Sequence[str]],
        orders: int,
        *,
        patience: float = PATIENCE,
        looks: int = 1,
        patient: bool = False,
    ) -> None:
        self.operations: list[Operation] = []
        self.told: list[Told] = []
        self.setbacks: list[str] = []
        """Orders that were shown older than before."""
        self.finished = 0
        """Buyers who are through with placing."""
        self._seed = seed
        self._keys = keys
        self._addresses = addresses
        self._orders = orders
        self._patience = patience
        self._looks = looks
        self._patient = patient
        self._random = Random(f"{seed}:clients")
        self._shown: dict[tuple[str, str], int] = {}
        self._http: httpx.AsyncClient
        self._progress = threading.Condition()
        self._failure: BaseException | None = None
        self._loop = asyncio.new_event_loop()
        self._everybody = self._loop.create_task(self._all())
        self._thread = threading.Thread(target=self._run, name="customers")

    def __enter__(self) -> Customers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._everybody.cancel)
        self._thread.join()

    @property
    def busy(self) -> bool:
        """Whether somebody still has something in mind; raises what went wrong with them."""
        if self._failure is not None:
            raise self._failure
        return self._thread.is_alive()

    def leave(self) -> None:
        """Nobody else comes; waits until those who are there have seen their orders through."""
        self._orders = 0
        self._thread.join()
        assert not self.busy

    def until(self, finished: int, within: float = 300) -> None:
        """Wait until so many have placed their orders."""
        with self._progress:
            done = self._progress.wait_for(
                lambda: self.finished >= finished or not self._thread.is_alive(), within
            )
        assert self.busy or done, "nobody is left"
        assert done, f"only {self.finished} of {finished} buyers were served in {within:.0f} s"

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._everybody)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            self._failure = error
        finally:
            self._loop.close()
        with self._progress:
            self._progress.notify_all()

    async def _all(self) -> None:
        places, roads = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(AT_ONCE)
        async with httpx.AsyncClient(trust_env=False) as self._http, asyncio.TaskGroup() as group:
            number = 0
            while number < self._orders:
                await places.acquire()
                group.create_task(self._buy(planned(self._seed, number), places, roads))
                number += 1

    async def _buy(self, plan: Plan, places: asyncio.Semaphore, roads: asyncio.Semaphore) -> None:
        try:
            placed = await self._ask(
                Operation("place", f"place-{plan.buyer}", plan.buyer),
                "/v1/orders",
                plan.body,
                wait=plan.wait,
                patience=0 if plan.impatient and not self._patient else None,
            )
            order = placed.answer
            if placed.outcome == "ok":
                for _ in range(self._looks):
                    order = await self._look(order)
                if plan.cancels:
                    path = f"/v1/orders/{order['order_id']}/cancel"
                    await self._ask(
                        Operation("cancel", f"cancel-{plan.buyer}", order["order_id"]), path, {}
                    )
        finally:
            places.release()
            with self._progress:
                self.finished += 1
                self._progress.notify_all()
        if order and plan.delivered:
            async with roads:
                await self._deliver(order)

    async def _deliver(self, order: dict[str, Any]) -> None:
        """The carrier comes as soon as the delivery is arranged."""
        deadline = asyncio.get_running_loop().time() + self._patience
        while order["fulfillment_status"] != "scheduled":
            declined = order["payment_status"] == "declined"
            if declined or order["status"] not in ("pending", "confirmed"):
                return
            if asyncio.get_running_loop().time() > deadline:
                return  # the checks will tell why
            await asyncio.sleep(0.1)
            order = await self._look(order)
        for scan in SCANS:
            path = f"/v1/deliveries/{order['delivery_id']}/checkpoints"
            what = Operation(scan, f"{scan}-{order['delivery_id']}", order["delivery_id"])
            await self._ask(what, path, {"status": scan})
        await self._look(order)

    async def _look(self, order: dict[str, Any]) -> dict[str, Any]:
        """The order as it is shown now: not older than it was shown before, by whichever replica,
        once the news have had the time to get from one to the other."""
        deadline = asyncio.get_running_loop().time() + NEWS_WITHIN
        while True:
            seen = await self._ask(
                Operation("look", "", order["order_id"]), f"/v1/orders/{order['order_id']}"
            )
            if seen.outcome != "ok":
                return order
            if seen.answer["version"] >= order["version"]:
                return seen.answer
            if asyncio.get_running_loop().time() > deadline:
                versions = f"at version {order['version']}, then still at {seen.answer['version']}"
                self.setbacks.append(f"{order['order_id']} was shown {versions}")
                return seen.answer
            await asyncio.sleep(0.05)

    async def _ask(
        self,
        what: Operation,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        wait: int = 0,
        patience: float | None = None,
    ) -> Operation:
        """Ask until there is an answer, at one replica and the other."""
        self.operations.append(what)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (self._patience if patience is None else patience)
        first = self._random.randrange(2)
        while what.tries == 0 or loop.time() < deadline:
            what.tries += 1
            try:
                answer = await self._once(what, path, body, wait, first + what.tries)
            except (httpx.TransportError, LookupError):
                answer = None
            if answer is not None and answer.status_code not in AGAIN:
                what.status = answer.status_code
                what.answer = answer.json() if answer.is_success else {}
                what.outcome = "ok" if answer.is_success else "failed"
                if "version" in what.answer:
                    self._see(str(answer.url.netloc), what.answer)
                break
            await asyncio.sleep(self._random.uniform(0.05, 0.3))
        return what

    def _see(self, replica: str, order: dict[str, Any]) -> None:
        id, version = order["order_id"], order["version"]
        self.told.append(Told(id, version, order))
        before = self._shown.get((replica, id), 0)
        if version < before:
            self.setbacks.append(f"{replica} showed {id} at version {before}, then at {version}")
        self._shown[replica, id] = version

    async def _once(
        self, what: Operation, path: str, body: dict[str, Any] | None, wait: int, turn: int
    ) -> httpx.Response:
        addresses = self._addresses()
        if not addresses:
            raise LookupError("nobody is there")
        carrier = path.startswith("/v1/deliveries")
        headers = {
            "Authorization": f"Bearer {self._keys.carrier if carrier else self._keys.web}",
            **({"Idempotency-Key": what.key} if what.key else {}),
            **({"Prefer": f"wait={wait}"} if wait else {}),
        }
        return await self._http.request(
            "GET" if body is None else "POST",
            addresses[turn % len(addresses)] + path,
            content=None if body is None else json.dumps(body),
            headers={**headers, "Content-Type": "application/json"},
            timeout=ANSWERED_WITHIN + wait,
        )
