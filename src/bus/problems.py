"""Every error as RFC 9457 problem details: mapped here, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import ValidationError
from pydantic_core import to_jsonable_python
from starlette.responses import Response

from bus.messages import Busy, Refused, complaint

MAX_ERRORS, MAX_NAME = 30, 100
"""Fields named in one answer, and characters of each name, at most."""


class Problem(Exception):
    """A request that cannot be served, as it will be answered."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = dict(headers or {})
        self.details = dict(details or {})

    def response(self, trace_id: str) -> Response:
        """The answer; `trace_id` finds it in the logs."""
        body = {
            "type": f"urn:storefold:problem:{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": list(self.errors),
            "trace_id": trace_id,
        }
        if self.details:
            body["details"] = to_jsonable_python(self.details)
        return Response(
            json.dumps(body, default=str),
            self.status,
            self.headers,
            media_type="application/problem+json",
        )


def problem_of(error: Exception) -> Problem | None:
    """The problem that an error stands for; `None` for one that is our own fault."""
    match error:
        case Problem():
            return error
        case Refused():
            return Problem(error.status, error.code, error.message, details=error.details)
        case Busy():
            return Problem(
                503, "busy", error.message, headers={"Retry-After": str(error.retry_after)}
            )
        case _:
            return None


def unreadable(error: ValidationError) -> Problem:
    """The problem of a body or a query that is not what the schema says: 400 malformed, 422
    else."""
    failures = error.errors(include_url=False, include_context=False, include_input=False)
    for failure in failures:
        if failure["type"] == "json_invalid":
            return Problem(400, "malformed", f"the body is not JSON: {failure['msg']}")
    errors = [
        {
            "field": ".".join(map(str, failure["loc"])),
            "code": failure["type"],
            "message": complaint(failure),
        }
        for failure in failures[:MAX_ERRORS]
    ]
    return misfit(errors)


def misfit(errors: Sequence[Mapping[str, str]]) -> Problem:
    """The problem of fields that are not as they must be."""
    errors = [{**failure, "field": failure["field"][:MAX_NAME]} for failure in errors]
    named = ", ".join(dict.fromkeys(failure["field"] or "the body" for failure in errors))
    return Problem(422, "invalid", f"these fields are not as they must be: {named}", errors=errors)
