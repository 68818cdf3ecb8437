"""A real browser, and a shop that it looks at."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.async_api import Browser, Page, async_playwright

from tests.journeys.conftest import Stock, Stocked, stock
from tests.osrm import PROGRAMS, ROADS

__all__ = ["stock"]

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PHONE, DESK, NARROW = (390, 844), (1280, 800), (320, 640)

SHOTS = Path(os.environ["STOREFOLD_SHOTS"]) if "STOREFOLD_SHOTS" in os.environ else None
"""Where pictures of what was seen are put; a temporary folder unless this is set."""


class Served(NamedTuple):
    """A shop, and where it is."""

    stocked: Stocked
    address: str


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A headless Chromium."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on the PATH: `apt-get install chromium` brings it")
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield opened
        await opened.close()


@pytest.fixture(scope="session")
def roads(request: pytest.FixtureRequest) -> dict[str, str]:
    """Settings that send vans along real roads, where there are any."""
    if not (PROGRAMS / "bin" / "osrm-routed").exists() or not ROADS.exists():
        return {}
    return {"SHOP_ROUTER": "osrm", "SHOP_OSRM_URL": request.getfixturevalue("osrm")}


@pytest.fixture(scope="session")
def served(browser: Browser, stock: Stock, roads: dict[str, str]) -> Iterator[Served]:
    """A shop to be looked at."""
    shop = stock(**roads)
    with shop.shop.serve() as process:
        yield Served(shop, process.address)


class Seen(NamedTuple):
    """A page, and what happened while it was looked at."""

    page: Page
    complaints: list[str]
    """Whatever went wrong in it."""
    addresses: list[str]
    """Whatever it asked for."""

    async def text(self, where: str) -> str:
        """What stands there."""
        return (await self.page.locator(where).inner_text()).strip()

    async def shows(self, where: str, words: str) -> None:
        """Wait until it is to be read there."""
        await self.page.locator(where, has_text=words).first.wait_for(timeout=15_000)

    async def attribute(self, where: str, name: str) -> str:
        """An attribute of what is there."""
        return await self.page.locator(where).first.get_attribute(name) or ""

    async def shot(self, name: str, folder: Path) -> None:
        """A picture of all of it."""
        where = (SHOTS or folder) / f"{name}.png"
        await self.page.screenshot(path=where, full_page=True, animations="disabled")
        assert where.stat().st_size > 10_000


@asynccontextmanager
async def looking(
    browser: Browser, size: tuple[int, int] = PHONE, scheme: Any = "light", **how: Any
) -> AsyncIterator[Seen]:
    """Somebody with a screen of this size who prefers light or dark."""
    width, height = size
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        locale="de-LI",
        timezone_id="Europe/Vaduz",
        **how,
    )
    page = await context.new_page()
    seen = Seen(page, [], [])
    page.on("console", lambda said: seen.complaints.append(f"{said.type}: {said.text}"))
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", lambda asked: seen.addresses.append(asked.url))
    try:
        yield seen
    finally:
        await context.close()
