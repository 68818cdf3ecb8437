"""The shop with the gateway that is built in, whose ledger is in MongoDB: it loses answers to
captures too, and leases are as short as a test wants them. `python -m tests.faults.own_gateway
serve --port 0`."""

from __future__ import annotations

import os
from functools import partialmethod

from payment.builtin import BuiltinGateway
from shop import cli
from shop.child import end_with_parent
from tests.faults import app, plants


def main() -> None:
    """Run the CLI."""
    end_with_parent()
    if term := os.environ.get(app.TERM):
        plants.shorten_leases(float(term))
    loses = partialmethod(BuiltinGateway.__init__, loses=("authorize", "capture"))
    BuiltinGateway.__init__ = loses  # type: ignore[method-assign,assignment]
    cli.main()


if __name__ == "__main__":
    main()
