"""The shop as the fault suite runs it: the product's own CLI, with the test's gateway, and with the
faults planted that the suite must find: `python -m tests.faults.app serve --port 0`."""

from __future__ import annotations

import os

from dependency_injector import providers

from shop import cli
from shop.child import end_with_parent
from shop.container import Shop
from tests.faults import plants
from tests.faults.remote_gateway import RemoteGateway

GATEWAY = "STOREFOLD_GATEWAY"
"""Names the address of the test's gateway."""

PLANT = "STOREFOLD_PLANT"
"""Names the faults to plant, separated by commas."""

TERM = "STOREFOLD_TERM"
"""The seconds that a lease lasts, where a test can't wait for the real one."""


def main() -> None:
    """Run the CLI."""
    end_with_parent()
    Shop.gateway.override(providers.Singleton(RemoteGateway, os.environ[GATEWAY]))
    if term := os.environ.get(TERM):
        plants.shorten_leases(float(term))
    for name in filter(None, os.environ.get(PLANT, "").split(",")):
        plants.PLANTS[name]()
    cli.main()


if __name__ == "__main__":
    main()
