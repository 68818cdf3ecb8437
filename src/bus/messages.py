"""What contexts say to one another: commands, queries, events, refusals, and the values they
share."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Generic, TypeVar

from pydantic import Field, StringConstraints, TypeAdapter

from bus.currency import Currency as Currency
from bus.currency import places_of as places_of
from bus.model import MAX_INTEGER as MAX_INTEGER
from bus.model import Model as Model
from bus.model import complaint as complaint
from bus.model import unfit as unfit
from bus.moments import DATE as DATE
from bus.moments import Moment as Moment
from bus.moments import Window as Window
from bus.money import Money as Money
from bus.personal import Personal as Personal

R_co = TypeVar("R_co", covariant=True)

Quantity = Annotated[int, Field(ge=1, le=10_000)]
"""Pieces of one SKU in an order."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    # What is left once it is stripped; NUL has no place in any message.
    Field(json_schema_extra={"pattern": r"^[^\x00]*[^\s\x00\x85][^\x00]*$"}),
]
"""A short, non-empty line of text."""

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,79}$")]
"""An identifier: 1 to 80 letters, digits, dots, colons, dashes and underscores."""


class Message(Model):
    """Something said on the bus, under a literal name that never changes:
    `ordering.OrderPlaced`."""

    type_name: ClassVar[str] = ""

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name:
            cls.type_name = name


class Request(Message, Generic[R_co]):
    """A message that is answered with an `R`; send a `Command` or ask a `Query`."""

    @classmethod
    def answer(cls) -> TypeAdapter[Any]:
        """How this request's answer is read from and written to JSON."""
        for base in cls.__mro__:
            generic = getattr(base, "__pydantic_generic_metadata__", None)
            if generic and generic["args"] and generic["origin"] in (Command, Query):
                return TypeAdapter(generic["args"][0])
        raise TypeError(
            f"{cls.__name__} does not say what it answers: write Command[...] or Query[...]"
        )


class Command(Request[R_co], Generic[R_co]):
    """An order to do something; one handler decides it and answers with an `R`."""


class Query(Request[R_co], Generic[R_co]):
    """A question; one handler answers it with an `R` and changes nothing."""


class Event(Message):
    """A fact in the past tense. Stored for ever, so its name and its fields are for ever too.

    One with `Personal` fields says in `whose` which of its fields is the id of whom they are about:
    `class OrderPlaced(Event, name=..., whose="buyer_id")`.
    """

    whose: ClassVar[str] = ""
    forgets: ClassVar[bool] = False
    """Whether somebody's key is gone: no process believes then what it remembers of anybody."""

    def __init_subclass__(
        cls, name: str = "", whose: str = "", forgets: bool = False, **kwargs: Any
    ) -> None:
        super().__init_subclass__(name=name, **kwargs)
        if whose:
            cls.whose = whose
        cls.forgets = forgets

    @classmethod
    def upcast(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Turn the stored fields of an older release into this one's. Overridden where a schema
        changed."""
        return data


class Refused(Exception):
    """A rule of the business says no. `code` is for programs, the message for people."""

    status: ClassVar[int] = 409

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


class NotFound(Refused):
    """There is no such thing, or it is not the asker's."""

    status = 404


class Stale(Refused):
    """The asker decided on a version that is no longer the latest."""

    status = 412


class Invalid(Refused):
    """The request is well formed but cannot be meant: an idempotency key with another body, say."""

    status = 422


class TooLarge(Refused):
    """What was asked makes more than the log takes in one decision; nothing was written."""

    status = 413


class Busy(Exception):
    """The shop cannot take this now; the same request may succeed in `retry_after` seconds."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after


class Position(Model):
    """A point on the earth, in degrees (WGS 84)."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False)
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False)


class Address(Model):
    """A postal address; `country` is ISO 3166-1 alpha-2. A `position` says exactly where the door
    is."""

    house_number: Text
    road: Text
    sub_district: Text | None = None
    district: Text
    state: Text | None = None
    postcode: Text
    country: str = Field(pattern=r"^[A-Z]{2}$")
    position: Position | None = None


ERASED = "erased"
"""What stands where something personal stood that nobody can read any more."""

PersonalText = Annotated[str, Personal(ERASED)]
"""Words by which somebody might be known."""

PersonalAddress = Annotated[
    Address,
    Personal(
        Address(house_number=ERASED, road=ERASED, district=ERASED, postcode=ERASED, country="ZZ")
    ),
]
"""Where somebody lives. ISO 3166 leaves ZZ to its users."""

A = TypeVar("A")


class Done(Model, Generic[A]):
    """A command's answer: how things stand after it, and where in the log it was decided.

    `position` is 0 when there was nothing to do; `repeated` says that the command had been decided
    before.
    """

    answer: A
    position: int = 0
    repeated: bool = False


class Document(Model):
    """A read model's answer: JSON bytes ready to send, and the version they show; a `revision`
    where one version may look different at another moment."""

    version: int
    body: bytes
    revision: str = ""

    @property
    def tag(self) -> str:
        """What tells these bytes from all others of the same thing: `7`, or `7-1f2e`."""
        return f"{self.version}-{self.revision}" if self.revision else str(self.version)


class Page(Model):
    """One page of a list, newest first, as JSON bytes ready to send."""

    data: tuple[bytes, ...]
    has_more: bool


class Principal(Model):
    """Who asks: a scope (`shop`, `carrier`, `admin`, or `system` for the shop itself) and a
    name."""

    scope: str
    name: str

    def __str__(self) -> str:
        return f"{self.scope}:{self.name}"

    @staticmethod
    @lru_cache(maxsize=10_000)
    def parse(text: str) -> Principal:
        """Read `scope:name`, as it is stored with every commit."""
        scope, _, name = text.partition(":")
        return Principal(scope=scope, name=name)

    @property
    def inside(self) -> bool:
        """Whether this is the shop itself or its administrator, who may see everything."""
        return self.scope in ("system", "admin")


SYSTEM = Principal(scope="system", name="storefold")


def derived_id(*parts: object) -> str:
    """The one id that always follows from these parts: how doing a thing twice is recognised."""
    return hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).hexdigest()


def new_id() -> str:
    """An id nobody else has."""
    # The process has its own random stream; an id is no secret, and a system call each is dear.
    return f"{random.getrandbits(128):032x}"


def now() -> datetime:
    """The time in UTC, in whole milliseconds: what MongoDB keeps, so that memory and disk agree."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
