"""GET /docs: the OpenAPI document as one plain page, without scripts and without anything from elsewhere."""

import json
from html import escape
from typing import Any, Final

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;"
    "vertical-align:top}pre{background:#f4f4f4;padding:.7rem;overflow:auto}code{font-size:.95em}"
)


def page(document: dict[str, Any]) -> bytes:
    """HTML of an OpenAPI document: operations with their answers, then the schemas."""
    info = document["info"]
    operations = "".join(
        _operation(method.upper(), path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    schemas = "".join(
        f'<h3 id="{escape(name)}">{escape(name)}</h3>{_schema(schema)}'
        for name, schema in document["components"]["schemas"].items()
    )
    title = escape(info["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
        f"<h1>{title}</h1><p>{escape(info['description'])}</p>"
        f'<p><a href="openapi.json">openapi.json</a></p><h2>Requests</h2>{operations}<h2>Objects</h2>{schemas}</html>'
    ).encode()


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    token = " &middot; needs a token" if operation.get("security") else ""
    answers = "".join(
        f"<tr><td>{escape(status)}<td>{escape(answer['description'])}<td>{_media(answer['content'])}"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<h3><code>{method} {escape(path)}</code></h3><p>{escape(operation['summary'])}{token}</p>"
        f"{_body(operation)}<table><tr><th>status<th>meaning<th>content{answers}</table>"
    )


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    example = next((media["example"] for media in content.values() if "example" in media), None)
    shown = f"<pre>{escape(json.dumps(example, ensure_ascii=False))}</pre>" if example is not None else ""
    return f"<p>Body: {_media(content)}</p>{shown}" if content else ""


def _media(content: dict[str, Any]) -> str:
    return "<br>".join(f"<code>{escape(name)}</code> {_kind(media['schema'])}" for name, media in content.items())


def _schema(schema: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code><td>{'yes' if name in schema['required'] else ''}"
        f"<td>{_kind(field)}<td>{escape(field.get('description', ''))}"
        for name, field in schema["properties"].items()
    )
    return f"<table><tr><th>field<th>required<th>type<th>meaning{rows}</table>"


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#{name}">{name}</a>'
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    if "anyOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["anyOf"])
    kind = schema.get("type", "")
    return escape(kind if isinstance(kind, str) else " | ".join(kind))
