"""The OpenAPI document, generated from the tables of endpoints and the models that check what is
asked and answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from inspect import cleandoc
from typing import Any

from pydantic import ConfigDict, create_model
from spectree import Response, SpecTree
from starlette.applications import Starlette
from starlette.routing import Route

from bus.messages import Model
from bus.rest import EVENTS, HTML, JSON, LINK, PICTURE, SIGNED, Endpoint
from shop.openapi.headers import answered, asked, compared
from shop.openapi.links import links, operation_id
from shop.openapi.refusals import MEANT, ProblemDetails, refusals, to_people

NO_JSON: dict[str, Any] = {
    PICTURE: {"type": "string", "format": "binary"},
    EVENTS: {
        "description": "Each event",
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Where to go on: Last-Event-ID"},
            "event": {"type": "string"},
            "data": {"type": "string", "contentMediaType": JSON},
        },
        "required": ["event", "data"],
    },
}
"""The schemas of answers for which there is no model."""


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
        operation = document["paths"][row.path][row.method.lower()]
        _complete_request(operation, row)
        _complete_answers(operation["responses"], row, endpoints)
    return document


def _stand_in(tree: SpecTree, row: Endpoint) -> Callable[..., Any]:
    async def stand_in(request: Any) -> None:
        """Never called."""

    said = cleandoc(row.message.__doc__ or "")
    stand_in.__doc__ = f"{row.summary}\n\n{said}\n\nScope: {row.scope}."
    message = _without_path(row)
    told: dict[str, Any] = {f"HTTP_{row.status}": _answer(row)}
    told |= {f"HTTP_{status}": ProblemDetails for status in refusals(row)}
    decorated: Callable[..., Any] = tree.validate(
        query=message if row.method == "GET" and message.model_fields else None,
        json=message if row.method == "POST" else None,
        resp=Response(**told),
        tags=[row.message.type_name.partition(".")[0]],
        security={SIGNED if row.scope == SIGNED else "key": []},
        operation_id=operation_id(row),
        skip_validation=True,
    )(stand_in)
    return decorated


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
    made: Any = create_model(row.message.__name__, __config__=row.message.model_config, **fields)
    return made


def _answer(row: Endpoint) -> Any:
    if row.answer is None or not row.listed:
        return row.answer
    fields: dict[str, Any] = {
        "data": (list.__class_getitem__(row.answer), ...),
        "has_more": (bool, ...),
    }
    made: Any = create_model(f"{row.answer.__name__}List", __base__=Model, **fields)
    return made


def _complete_request(operation: dict[str, Any], row: Endpoint) -> None:
    """Add what spectree has no place for: the schemas of paths' parameters, headers, an example,
    and that nothing opens it."""
    schemas = row.message.model_json_schema()["properties"]
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            parameter["schema"] = schemas[parameter["name"]]
        parameter.setdefault("description", "")
    operation["parameters"] += asked(row)
    if row.scope == LINK:
        operation["security"] = []
    if row.example is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = dict(row.example)
    if row.method == "POST":
        operation["requestBody"]["required"] = any(
            field.is_required() and f"{{{name}}}" not in row.path
            for name, field in row.message.model_fields.items()
        )


def _complete_answers(
    responses: dict[str, Any], row: Endpoint, endpoints: Sequence[Endpoint]
) -> None:
    """Add media types, headers, and where an answer leads."""
    for status, response in responses.items():
        if status in MEANT:
            schema = response["content"].pop("application/json")
            response["content"] = {"application/problem+json": schema}
            response["description"] = MEANT[status]
        if to_people(row, status):
            response["content"] = {HTML: {"schema": {"type": "string"}}}
    told = responses[str(row.status)]
    told["description"] = row.summary
    if row.answer is None:
        told["content"] = {row.media: {"schema": NO_JSON.get(row.media, {"type": "string"})}}
    if compared(row):
        responses["304"] = {"description": "The asker has it already"}
    if row.media == EVENTS:
        responses["204"] = {"description": "It is over, and the asker knows all of it"}
    if found := links(row, endpoints):
        told["links"] = found
    for status, response in responses.items():
        if headers := answered(row, status):
            response["headers"] = headers
