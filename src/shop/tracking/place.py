"""How far a listener is: the id of an event, from which a stream goes on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_FORM = re.compile(r"(\d{1,9})((?:\.\d{1,9}(?:-[0-9a-f]{1,16})?){0,100})")

NOTHING = "0"
"""What stands for a delivery of which nothing has been told."""


@dataclass
class Place:
    """The version of the order that was told last, and the tag of each of its deliveries."""

    order: int
    deliveries: dict[str, str] = field(default_factory=dict)

    def id(self, order_of: Sequence[str]) -> str:
        """As it is sent: `7`, or `7.3-1f2e` with a delivery; these are the order's, in its
        order."""
        tags = [self.deliveries.get(each, NOTHING) for each in order_of]
        while tags and tags[-1] == NOTHING:
            tags.pop()
        return ".".join((str(self.order), *tags))

    def is_behind(self, delivery_id: str, tag: str) -> bool:
        """Whether a delivery as it is by this tag is news: never an older version of it, which a
        replica may have that has yet to hear of the newer one."""
        known = self.deliveries.get(delivery_id, NOTHING)
        return tag != known and version_of(tag) >= version_of(known)


def read(id: str, order_of: Sequence[str]) -> Place | None:
    """The place that an id stands for; `None` for what never was one."""
    form = _FORM.fullmatch(id)
    if form is None:
        return None
    tags = form[2].split(".")[1:]
    told: Mapping[str, str] = dict(zip(order_of, tags, strict=False))
    return Place(int(form[1]), {each: tag for each, tag in told.items() if tag != NOTHING})


def version_of(tag: str) -> int:
    """The version in a tag."""
    return int(tag.partition("-")[0])
