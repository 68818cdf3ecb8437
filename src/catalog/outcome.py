"""What became of a price list: what was new and what changed, and what was wrong with the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from catalog.row import Fault

KEPT = 20
"""Faults of one kind that are remembered; of the others, how many there were."""


@dataclass(slots=True)
class Outcome:
    """Counts of rows, products and pictures; the first faults of each kind. Without `written`, all
    of it is what would be."""

    written: bool = True
    rows: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    pictures: int = 0
    not_for_sale: int = 0
    """SKUs without a price in the shop's currency."""
    currency: str = ""
    """The shop's."""
    unused: tuple[str, ...] = ()
    repeated: int = 0
    """Rows that say what an earlier one of their SKU has said."""
    first_repeated: str = ""
    overruled: int = 0
    """Rows that say something of their product that its first row has said otherwise."""
    first_overruled: str = ""
    faults: list[Fault] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    """How many faults there were of each kind."""
    on_fault: Callable[[Fault], None] = lambda fault: None

    def reject(self, fault: Fault) -> None:
        """A row cannot go in."""
        self.on_fault(fault)
        self.rejected[fault.kind] += 1
        if self.rejected[fault.kind] <= KEPT:
            self.faults.append(fault)

    def repeat(self, example: str) -> None:
        """A row says nothing new."""
        self.repeated += 1
        self.first_repeated = self.first_repeated or example

    def overrule(self, example: str) -> None:
        """A row is not heard in what it says of its product."""
        self.overruled += 1
        self.first_overruled = self.first_overruled or example
