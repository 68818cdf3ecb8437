"""The OpenAPI document as a page for people."""

from __future__ import annotations

import html
import json
from typing import Any

from shop.openapi.types import shown, types


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
        types=types(document["components"]["schemas"]),
    )


def _section(path: str, method: str, operation: dict[str, Any]) -> str:
    """One operation: what it does, what to send, what comes back."""
    description = operation["description"].replace("`", "")
    asked = "".join(
        f"<tr><td><code>{html.escape(parameter['name'])}</code><td>{parameter['in']}"
        f"<td>{html.escape(parameter['description']) or shown(parameter['schema'])}"
        f"{' <b>required</b>' if parameter['required'] else ''}"
        for parameter in operation["parameters"]
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    example = body.get("example")
    told = "".join(
        f"<tr><td><code>{status}</code><td>{html.escape(response['description'])}"
        f"<td>{_content(response)}"
        for status, response in sorted(operation["responses"].items())
    )
    return (
        f'<section id="{operation["operationId"]}">'
        f"<h3><code class={method}>{method.upper()}</code> <code>{html.escape(path)}</code></h3>"
        f"<p>{html.escape(operation['summary'])}</p>"
        f"<p class=more>{html.escape(description)}</p>"
        + (f"<table>{asked}</table>" if asked else "")
        + (f"<p>Body: {shown(body['schema'])}</p>" if body else "")
        + (f"<pre>{html.escape(json.dumps(example, indent=2))}</pre>" if example else "")
        + f"<details><summary>Answers</summary><table>{told}</table></details></section>"
    )


def _content(response: dict[str, Any]) -> str:
    """What comes with an answer, where that has a type."""
    found = [each["schema"] for each in response.get("content", {}).values()]
    return ", ".join(shown(schema) for schema in found if "$ref" in schema)


_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}: the REST surface</title><link rel="icon" href="data:,">
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
<nav>{links}
<h2><a href="#types">types</a></h2></nav>
<main>{rows}
<h2 id="types">types</h2>{types}</main>
"""
