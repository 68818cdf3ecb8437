"""The OpenAPI document and its page, generated from the tables of endpoints and the models they
check with."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import ConfigDict, create_model
from spectree import Response, SpecTree
from starlette.applications import Starlette
from starlette.routing import Route

from bus.messages import Command, Model
from bus.rest import EVENTS, HTML, JSON, LINK, PICTURE, SIGNED, Endpoint
from ordering.contract import OrderDocument


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


PROBLEMS = {
    "400": "Malformed, or no Idempotency-Key, or no good signature",
    "401": "No key that opens",
    "403": "A key for something else",
    "404": "Unknown, or another client's",
    "410": "A token whose time is over",
    "409": "Refused by a rule: `code` says which",
    "412": "No longer this version",
    "413": "Too large",
    "415": "Not JSON",
    "422": "Not as the schema says, or an Idempotency-Key used with another body",
    "429": "Asked too often: again after Retry-After seconds",
    "503": "Busy: the same request may succeed after Retry-After seconds",
}


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
            {
                "name": SIGNED,
                "data": {"type": "apiKey", "field_in": "header", "name": "Stripe-Signature"},
            },
        ],
    )
    routes = [Route(row.path, _stand_in(tree, row), methods=[row.method]) for row in endpoints]
    tree.register(Starlette(routes=routes))
    document = dict(tree.spec)
    for row in endpoints:
        _complete(document["paths"][row.path][row.method.lower()], row)
    return document


def _stand_in(tree: SpecTree, row: Endpoint) -> Callable[..., Any]:
    async def stand_in(request: Any) -> None:
        """Never called."""

    stand_in.__doc__ = (
        f"{row.summary}\n\n{(row.message.__doc__ or '').strip()}\n\nScope: {row.scope}."
    )
    asked = _without_path(row)
    told: dict[str, Any] = {f"HTTP_{row.status}": _answered(row)}
    told |= {f"HTTP_{status}": ProblemDetails for status in _problems(row)}
    decorated: Callable[..., Any] = tree.validate(
        query=asked if row.method == "GET" and asked.model_fields else None,
        json=asked if row.method == "POST" else None,
        resp=Response(**told),
        tags=[row.message.type_name.partition(".")[0]],
        security={SIGNED if row.scope == SIGNED else "key": []},
        operation_id=_operation_id(row),
        skip_validation=True,
    )(stand_in)
    return decorated


def _operation_id(row: Endpoint) -> str:
    """A name that no other operation has: `get_orders_order_id_delivery`."""
    words = re.findall(r"\w+", row.path.removeprefix("/v1"))
    return "_".join([row.method.lower(), *words])


def _problems(row: Endpoint) -> list[str]:
    """The statuses of its problems."""
    if row.scope == SIGNED:
        return ["400", "404", "413", "415", "429", "503"]
    if row.scope == LINK:
        return ["404", "410", "429", "503"]
    found = ["401", "403", "422", "429", "503"]
    if "{" in row.path:
        found.append("404")
    if row.method == "POST":
        found += ["400", "409", "413", "415"]
    if issubclass(row.message, Command):
        found.append("412")
    return sorted(found)


def _without_path(row: Endpoint) -> Any:
    """The message as it stands in the body or the query string: the path says the rest. A body
    that is signed is whatever its sender makes it."""
    if row.scope == SIGNED:
        return create_model(row.message.__name__, __config__=ConfigDict(extra="allow"))
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


def _complete(operation: dict[str, Any], row: Endpoint) -> None:
    """Add what spectree has no place for: headers, the problems' media type, paths' patterns,
    examples."""
    schemas = row.message.model_json_schema()["properties"]
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            parameter["schema"] = schemas[parameter["name"]]
        parameter.setdefault("description", "")
    operation["parameters"] += _headers(row)
    for status, response in operation["responses"].items():
        if status in PROBLEMS:
            schema = response["content"].pop("application/json")
            response["content"] = {"application/problem+json": schema}
            response["description"] = PROBLEMS[status]
        if row.media == HTML and status in ("404", "410"):  # a person reads it
            response["content"] = {HTML: {"schema": {"type": "string"}}}
    told = operation["responses"][str(row.status)]
    told["description"] = row.summary
    if row.answer is None:
        binary = {"format": "binary"} if row.media == PICTURE else {}
        told["content"] = {row.media: {"schema": {"type": "string", **binary}}}
    if _compared(row):
        operation["responses"]["304"] = {"description": "The asker has it already"}
    if row.media == EVENTS:
        operation["responses"]["204"] = {"description": "It is over, and the asker knows all of it"}
    if row.scope == LINK:
        operation["security"] = []
    if row.example is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = dict(row.example)
    if row.method == "POST":
        operation["requestBody"]["required"] = any(
            field.is_required() and f"{{{name}}}" not in row.path
            for name, field in row.message.model_fields.items()
        )


def _compared(row: Endpoint) -> bool:
    """Whether the answer is not sent to who has it."""
    return row.method == "GET" and not row.listed and row.media in (JSON, PICTURE)


def _headers(row: Endpoint) -> list[dict[str, Any]]:
    """The headers that a client must or may send."""
    if row.media == EVENTS:
        return [_header("Last-Event-ID", "Go on behind the event with this id")]
    if not issubclass(row.message, Command):
        if _compared(row):
            return [_header("If-None-Match", "304 if this is still its ETag")]
        return []
    found = [_header("Idempotency-Key", "Recognises a retry", required=row.creates)]
    if not row.creates or "{" in row.path:
        found.append(_header("If-Match", "Refuse unless this is the version"))
    if row.answer is OrderDocument:
        found.append(_header("Prefer", "wait=N: answer once settled, after N seconds at most"))
    return found


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
    groups: dict[str, list[str]] = {}
    links: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            tag = operation["tags"][0]
            groups.setdefault(tag, []).append(_section(path, method, operation))
            links.setdefault(tag, []).append(
                f'<li><a href="#{operation["operationId"]}">{html.escape(operation["summary"])}</a>'
            )
    return _PAGE.format(
        title=html.escape(document["info"]["title"]),
        version=html.escape(document["info"]["version"]),
        links="\n".join(f"<h2>{tag}</h2><ul>{''.join(found)}</ul>" for tag, found in links.items()),
        rows="\n".join(f"<h2>{tag}</h2>{''.join(found)}" for tag, found in groups.items()),
    )


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    """One operation: what it does, what to send, what comes back."""
    description = operation["description"].replace("`", "")
    asked = "".join(
        f"<tr><td><code>{html.escape(parameter['name'])}</code><td>{parameter['in']}"
        f"<td>{html.escape(parameter['description'] or _kind(parameter['schema']))}"
        f"{' <b>required</b>' if parameter['required'] else ''}"
        for parameter in operation["parameters"]
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = body.get("example")
    told = "".join(
        f"<tr><td><code>{status}</code><td>{html.escape(response['description'])}"
        for status, response in sorted(operation["responses"].items())
    )
    return (
        f'<section id="{operation["operationId"]}">'
        f"<h3><code class={method}>{method.upper()}</code> <code>{html.escape(path)}</code></h3>"
        f"<p>{html.escape(operation['summary'])}</p>"
        f"<p class=more>{html.escape(description)}</p>"
        + (f"<table>{asked}</table>" if asked else "")
        + (f"<pre>{html.escape(json.dumps(example, indent=2))}</pre>" if example else "")
        + f"<details><summary>Answers</summary><table>{told}</table></details></section>"
    )


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a word or two."""
    kinds = [schema, *schema.get("anyOf", ())]
    for kind in kinds:
        if "enum" in kind:
            return ", ".join(map(str, kind["enum"]))
        if kind.get("type") not in (None, "null"):
            least, most = kind.get("minimum"), kind.get("maximum")
            limits = f", {least} to {most}" if most is not None else ""
            return f"{kind['type']}{limits}"
    return ""


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}: the REST surface</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --soft: #8881; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1rem; }}
@media (min-width: 56rem) {{
  body {{ display: grid; grid-template-columns: 14rem 1fr; gap: 0 3rem; }}
  header {{ grid-column: 1 / 3; }}
  nav {{ position: sticky; top: 0; align-self: start; max-height: 100vh; overflow: auto; }}
}}
nav ul {{ list-style: none; margin: 0; padding: 0; }}
h2 {{ font-size: .9rem; letter-spacing: .06em; text-transform: uppercase; opacity: .7; }}
h3 {{ font-size: 1rem; margin: .5rem 0; overflow-wrap: anywhere; }}
section {{ border-top: 1px solid var(--line); padding: .75rem 0; }}
p {{ margin: .3rem 0; }} .more {{ opacity: .75; white-space: pre-line; }}
code.get, code.post {{ border-radius: 4px; padding: .1rem .4rem; color: #fff; }}
code.get {{ background: #276749; }} code.post {{ background: #2b5a9b; }}
table {{ border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }}
td {{ padding: .15rem 1.25rem .15rem 0; vertical-align: top; }}
pre {{ background: var(--soft); padding: .75rem; overflow: auto; border-radius: 6px; }}
summary {{ cursor: pointer; opacity: .75; }}
</style>
<header><h1>{title} {version}</h1>
<p>The whole contract is <a href="/openapi.json">openapi.json</a>. Send <code>Authorization: Bearer
&lt;key&gt;</code> with every request, but with those that are signed; <code>shop keys create</code>
makes a key. Errors are <code>application/problem+json</code>, and <code>code</code> says which.</p>
</header>
<nav>{links}</nav>
<main>{rows}</main>
"""
