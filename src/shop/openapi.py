"""The OpenAPI document and its page, generated from the tables of endpoints and the models they
check with."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import create_model
from spectree import Response, SpecTree
from starlette.applications import Starlette
from starlette.routing import Route

from bus.messages import Model
from bus.rest import Endpoint


class ProblemDetails(Model):
    """An error, per RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: tuple[dict[str, Any], ...]
    trace_id: str
    details: dict[str, Any] | None = None


def openapi(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The document. The functions that spectree reads are stand-ins: nothing of it is on the way of
    a request."""
    tree = SpecTree(
        "starlette",
        title="Storefold",
        version=version("storefold"),
        openapi_version="3.1.0",
        naming_strategy=lambda model: str(model.__name__),
        nested_naming_strategy=lambda parent, child: child,
        validation_error_model=ProblemDetails,
        security_schemes=[
            {"name": "key", "data": {"type": "http", "scheme": "bearer"}},
        ],
    )
    routes = [Route(row.path, _stand_in(tree, row), methods=[row.method]) for row in endpoints]
    tree.register(Starlette(routes=routes))
    return _with_examples(dict(tree.spec), endpoints)


def _stand_in(tree: SpecTree, row: Endpoint) -> Callable[..., Any]:
    async def stand_in(request: Any) -> None:
        """Never called."""

    stand_in.__doc__ = (
        f"{row.summary}\n\n{(row.message.__doc__ or '').strip()}\n\nScope: {row.scope}."
    )
    asked = _without_path(row)
    told: dict[str, Any] = {f"HTTP_{row.status}": _answered(row)}
    problems = ["401", "403", "409", "422", "503"] + (["404"] if "{" in row.path else [])
    told |= {f"HTTP_{status}": ProblemDetails for status in sorted(problems)}
    decorated: Callable[..., Any] = tree.validate(
        query=asked if row.method == "GET" and asked.model_fields else None,
        json=asked if row.method == "POST" else None,
        resp=Response(**told),
        tags=[row.message.type_name.partition(".")[0]],
        security={"key": []},
        operation_id=row.message.type_name,
        skip_validation=True,
    )(stand_in)
    return decorated


def _without_path(row: Endpoint) -> Any:
    """The message as it stands in the body or the query string: the path says the rest."""
    fields: dict[str, Any] = {
        name: (field.annotation, field)
        for name, field in row.message.model_fields.items()
        if f"{{{name}}}" not in row.path
    }
    if len(fields) == len(row.message.model_fields):
        return row.message
    made: Any = create_model(row.message.__name__, __base__=Model, **fields)
    return made


def _answered(row: Endpoint) -> Any:
    if row.answer is None or not row.listed:
        return row.answer
    fields: dict[str, Any] = {
        "data": (list.__class_getitem__(row.answer), ...),
        "has_more": (bool, ...),
    }
    made: Any = create_model(f"{row.answer.__name__}List", __base__=Model, **fields)
    return made


def _with_examples(document: dict[str, Any], endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Add what spectree has no place for: examples and the headers that a client must or may
    send."""
    for row in endpoints:
        operation = document["paths"][row.path][row.method.lower()]
        if row.example is not None:
            operation["requestBody"]["content"]["application/json"]["example"] = dict(row.example)
        if row.creates:
            operation["parameters"].append(
                _header("Idempotency-Key", "Recognises a retry", required=True)
            )
        elif row.method == "POST":
            operation["parameters"].append(_header("If-Match", "Refuse unless this is the version"))
    return document


def _header(name: str, why: str, *, required: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": required,
        "description": why,
        "schema": {"type": "string"},
    }


def page(document: dict[str, Any]) -> str:
    """The document for people: one plain page that needs no script and no other host."""
    rows = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            example = body.get("example")
            shown = f"<pre>{html.escape(json.dumps(example, indent=2))}</pre>" if example else ""
            rows.append(
                f"<section><h2><code>{method.upper()} {html.escape(path)}</code></h2>"
                f"<p>{html.escape(operation['summary'])}</p>"
                f"<p class=more>{html.escape(operation['description'])}</p>{shown}</section>"
            )
    return _PAGE.format(title=html.escape(document["info"]["title"]), rows="\n".join(rows))


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}: the REST surface</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
}} section {{ border-top: 1px solid #8884; padding: .5rem 0; }} h2 {{ font-size: 1rem; margin: .5rem
0; }} p {{ margin: .3rem 0; }} .more {{ opacity: .75; }} pre {{ background: #8881; padding: .75rem;
overflow: auto; border-radius: 6px; }} </style> <h1>{title}</h1> <p>The whole contract is <a
href="/openapi.json">openapi.json</a>. Send <code>Authorization: Bearer &lt;key&gt;</code> with
every request.</p> {rows}
"""
