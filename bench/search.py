"""Finding products by words, filters and facets, in a shop of four thousand."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from typing import Any

from pymongo import MongoClient

from bench.results import Result, Series
from bench.servers import Machine
from bus.messages import Money, now
from bus.mongo import connect
from bus.platform import Platform
from bus.transport import InProcess
from catalog.commands import ListProduct, Offered
from catalog.module import register
from catalog.queries import ListProducts
from catalog.search import Search
from catalog.search_index import Asked
from shop.serving import tune

PRODUCTS = 4_000
SIDE_BY_SIDE = 200
"""Products listed at once."""

SYLLABLES = (
    *("bor", "dan", "fel", "gar", "hin", "kal", "lum", "mos"),
    *("nir", "pel", "ros", "sel", "tam", "vin", "wol", "zan"),
)
VARIETY = 3_000
"""Different words that there are."""

AIM = 20.0


class Words:
    """What products are made of, and how it is asked for; the same every time."""

    def __init__(self) -> None:
        self._chance = random.Random(11)
        self._words = sorted(
            {"".join(self._chance.choices(SYLLABLES, k=3)) for _ in range(VARIETY * 2)}
        )[:VARIETY]
        # Few words are used often, many hardly ever (Zipf).
        self._often = [1 / rank for rank in range(1, len(self._words) + 1)]

    def some(self, count: int) -> str:
        """So many words."""
        return " ".join(self._chance.choices(self._words, self._often, k=count))

    def product(self, number: int) -> ListProduct:
        """A product of two SKUs."""
        name, chance = self.some(3), self._chance
        price = Money(amount=chance.randint(100, 50_000), currency="EUR")
        return ListProduct(
            product_id=f"p{number}",
            name=name,
            brand=f"Brand {chance.randrange(60)}",
            category=f"Category {chance.randrange(40)}",
            description=f"<p>{self.some(60)}</p>",
            variants=tuple(
                Offered(sku=f"p{number}-{n}", name=name, price=price, on_hand=chance.randrange(3))
                for n in range(2)
            ),
        )

    def question(self) -> ListProducts:
        """What a buyer may ask for: words, beginnings of them, typos, filters, facets."""
        chance, word = self._chance, self.some(1)
        at = chance.randrange(1, len(word) - 1)
        swapped = word[: at - 1] + word[at] + word[at - 1] + word[at + 1 :]
        return chance.choice(
            [
                ListProducts(q=self.some(chance.randint(1, 3))),
                ListProducts(q=word[: chance.randint(1, 5)]),
                ListProducts(q=swapped),
                ListProducts(q=word[:3], available=True, max_price=20_000, sort="price"),
                ListProducts(q=word[:2], brand=f"brand {chance.randrange(60)}"),
                ListProducts(q=word, facets=True),
                ListProducts(category=f"category {chance.randrange(40)}", facets=True),
                ListProducts(facets=True, sort="-price"),
                ListProducts(),
            ]
        )


async def measure(machine: Machine, *, questions: int, rounds: int) -> list[Result]:
    """Milliseconds of a search in the middle and at the slow end, and of making the index."""
    tune()  # as the server is
    mongo: MongoClient[dict[str, Any]] = connect(machine.mongodb_url)
    prefix = f"bench_{uuid.uuid4().hex[:8]}"
    platform = Platform(mongo, None, prefix, InProcess())
    home = register(platform)
    await platform.start(work=True)
    words = Words()
    for first in range(0, PRODUCTS, SIDE_BY_SIDE):
        several = (words.product(n) for n in range(first, first + SIDE_BY_SIDE))
        await asyncio.gather(*map(platform.bus.send, several))
    middle, slow, made = Series("shop"), Series("shop"), Series("shop")
    for _ in range(rounds):
        began = time.perf_counter()
        await Search(home, home.views[0], "EUR").find(Asked(at=now()))
        made.values.append((time.perf_counter() - began) * 1000)
        times = sorted([await timed(platform, words.question()) for _ in range(questions)])
        middle.values.append(times[len(times) // 2])
        slow.values.append(times[int(len(times) * 0.95)])
    await platform.stop()
    mongo.drop_database(f"{prefix}_catalog")
    mongo.close()
    return [
        Result(f"search among {PRODUCTS:,} products, p50", "ms", middle),
        Result(f"search among {PRODUCTS:,} products, p95", "ms", slow, at_most=AIM),
        Result("the index made anew, streams warm", "ms", made),
    ]


async def timed(platform: Platform, question: ListProducts) -> float:
    """Milliseconds until it is answered."""
    began = time.perf_counter()
    await platform.bus.ask(question)
    return (time.perf_counter() - began) * 1000
