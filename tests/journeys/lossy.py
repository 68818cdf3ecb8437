"""A transport that loses, repeats and reorders what is published, and a shop that runs on it:
`python -m tests.journeys.lossy serve --port 0`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence
from random import Random

from dependency_injector import providers

from bus.commits import Commit
from bus.transport import Loopback
from shop import cli
from shop.container import Shop

LOST, LATE, REPEATED = 0.2, 0.1, 0.2
"""Of all deliveries: those that never come, those that come behind a later one, and those that come
once more then."""

SEED = "STOREFOLD_SEED"
"""Names the seed, which decides on the fate of each delivery."""


class Lossy(Loopback):
    """Answers every request; but of what is published, each listener hears what chance lets
    through. The same seed has the same fates follow one another."""

    def __init__(self, seed: str) -> None:
        super().__init__()
        self._random = Random(seed)
        self._late: dict[str, list[Commit]] = defaultdict(list)
        self.fates: list[str] = []
        """What became of each delivery."""

    def publish(self, log: str, commits: Sequence[Commit]) -> None:
        """Every commit is a delivery of its own."""
        late = self._late.pop(log, [])
        for commit in commits:
            fate = self._fate()
            self.fates.append(fate)
            if fate in ("heard", "repeated"):
                super().publish(log, (commit,))
            if fate in ("late", "repeated"):
                self._late[log].append(commit)
        for commit in late:
            super().publish(log, (commit,))

    def _fate(self) -> str:
        others = 1 - LOST - LATE - REPEATED
        fates = {"lost": LOST, "late": LATE, "repeated": REPEATED, "heard": others}
        return self._random.choices([*fates], [*fates.values()])[0]


def main() -> None:
    """Run the CLI."""
    Shop.transport.override(providers.Singleton(Lossy, os.environ[SEED]))
    cli.main()


if __name__ == "__main__":
    main()
