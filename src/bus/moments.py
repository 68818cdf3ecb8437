"""Points and spans of time, as whoever writes them means them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field, ValidationInfo, field_validator

from bus.model import Model

LONGEST = timedelta(days=7)

DATE = (
    r"([2-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])"
    r"-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
)
"""A date that somebody may mean: between the years 2000 and 9999."""


def _in_utc(moment: datetime) -> datetime:
    if not 2000 <= moment.year < 9999:
        raise ValueError("must be a time between the years 2000 and 9999")
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


Moment = Annotated[
    AwareDatetime,
    AfterValidator(_in_utc),
    Field(json_schema_extra={"pattern": f"^{DATE}[Tt]"}),
]
"""A time that says its offset, in UTC and whole milliseconds from here on, as events keep it."""


class Window(Model):
    """From when to when somebody is to come; a week at most."""

    from_: Moment = Field(alias="from")
    to: Moment

    @field_validator("to")
    @classmethod
    def _ends_after_it_begins(cls, to: datetime, others: ValidationInfo) -> datetime:
        start = others.data.get("from_")
        if start is not None and not start < to <= start + LONGEST:
            raise ValueError("must be after the window's beginning, within a week")
        return to
