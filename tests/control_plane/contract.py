"""Konnect's contract as a judge: an answer that is not in the documents fails the test that caused it."""

import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2 as httpx
import yaml
from jsonschema import Draft202012Validator, FormatChecker

DOCUMENTS = Path(__file__).resolve().parents[3] / "shared" / "konnect-openapi"
BASES = {
    "portal-management-v3.yaml": "/v3",
    "api-builder-v3.yaml": "/v3",
    "application-auth-strategies-v2.yaml": "/v2",
    "dev-portal-v3.yaml": "",
}
ANYWHERE = {400, 401, 403, 404, 405, 413, 415, 429, 503}
"""Statuses of problem documents that any operation may answer with, whether its list has them or not.

The documents name no 400 where a query can be wrong, and nowhere the limits of size and rate.
"""

FORMATS = FormatChecker(["uuid", "email"])


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: Any) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


class Operation:
    """An operation of the contract."""

    def __init__(self, document: str, path: str, method: str, spec: dict[str, Any]) -> None:
        self.document = document
        self.path = BASES[document] + path
        self.method = method.upper()
        self.id: str = spec["operationId"]
        self.spec = spec
        pieces = re.split(r"\{[^}]+\}", self.path)
        self.pattern = re.compile("[^/]+".join(re.escape(piece) for piece in pieces))
        self.variables = len(pieces) - 1

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


@cache
def load(document: str) -> dict[str, Any]:
    return yaml.load((DOCUMENTS / document).read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def operations() -> tuple[Operation, ...]:
    found = [
        Operation(document, path, method, spec)
        for document in BASES
        for path, item in load(document)["paths"].items()
        for method, spec in item.items()
        if method in {"get", "post", "put", "patch", "delete"}
    ]
    # A path with fewer variables is the more exact one.
    return tuple(sorted(found, key=lambda one: one.variables))


def find(method: str, path: str) -> Operation | None:
    path = re.sub(r"^/p/[a-z0-9-]+(?=/)", "", path)
    return next((one for one in operations() if one.method == method and one.pattern.fullmatch(path)), None)


def check(response: httpx.Response) -> None:
    """Fail where an answer to an operation of the contract is not one that the contract has."""
    operation = find(response.request.method, urlsplit(str(response.request.url)).path)
    if operation is None:
        return
    spec, status = _status_spec(operation, response.status_code)
    if spec is None:
        assert response.status_code in ANYWHERE, f"{operation} answered {response.status_code}: {response.text[:500]}"
        _check_problem(operation, response)
        return
    content = spec.get("content") or {}
    if not content:
        assert response.content == b"" or response.status_code >= 400, f"{operation}: {status} has a body"
        return
    media_type = response.headers.get("content-type", "").partition(";")[0]
    assert media_type in content, f"{operation}: {status} came as {media_type!r}, not {list(content)}"
    schema = content[media_type].get("schema")
    if schema is not None:
        errors = list(_validator(operation.document, _key(schema)).iter_errors(response.json()))
        assert not errors, f"{operation} {status}: " + "; ".join(_told(error) for error in errors[:5])
    if response.status_code >= 400:
        _check_problem(operation, response)


def _told(error: Any) -> str:
    best = min(error.context, key=lambda one: -len(one.absolute_path)) if error.context else error
    return f"{best.json_path}: {best.message[:300]}"


def _check_problem(operation: Operation, response: httpx.Response) -> None:
    assert response.headers["content-type"].startswith("application/problem+json"), f"{operation}: no problem document"
    body = response.json()
    assert {"status", "title", "instance", "detail"} <= set(body), f"{operation}: {body}"
    assert body["status"] == response.status_code
    assert body["instance"].startswith("kong:trace:")


def _status_spec(operation: Operation, status: int) -> tuple[dict[str, Any] | None, str]:
    responses = operation.spec["responses"]
    spec = responses.get(str(status))
    if spec is not None and "$ref" in spec:
        spec = resolve(operation.document, spec["$ref"])
    return spec, str(status)


def resolve(document: str, reference: str) -> Any:
    found: Any = load(document)
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


_schemas: dict[str, Any] = {}


def _key(schema: Any) -> str:
    key = repr(schema)
    _schemas.setdefault(key, schema)
    return key


@cache
def _validator(document: str, key: str) -> Draft202012Validator:
    return Draft202012Validator(_plain(document, _schemas[key], ()), format_checker=FORMATS)


def _plain(document: str, schema: Any, path: tuple[str, ...]) -> Any:
    """Turn OpenAPI 3.0's schema into JSON Schema: references put in, `nullable` said as a type.

    Where `allOf` meets `additionalProperties: false`, the parts are taken together first, as their authors meant.
    """
    if isinstance(schema, list):
        return [_plain(document, one, path) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        reference = schema["$ref"]
        assert path.count(reference) < 2, f"{reference} holds itself"
        return _plain(document, resolve(document, reference), (*path, reference))
    nullable = schema.get("nullable", False)
    result = {
        key: (
            {name: _plain(document, one, path) for name, one in value.items()}
            if key == "properties"
            else _plain(document, value, path)
        )
        for key, value in schema.items()
        if key
        not in {
            "example",
            "examples",
            "description",
            "title",
            "discriminator",
            "readOnly",
            "writeOnly",
            "nullable",
            "default",
            "deprecated",
        }
        and not key.startswith("x-")
    }
    if isinstance(result.get("required"), bool):
        del result["required"]
    parts = result.get("allOf")
    if parts and any(isinstance(part, dict) and part.get("additionalProperties") is False for part in parts):
        for part in parts:
            part.pop("additionalProperties", None)
            for choice in part.get("oneOf", ()):
                choice.pop("additionalProperties", None)
        result["unevaluatedProperties"] = False
    if "oneOf" in result:  # the branches of many unions in the documents are not exclusive
        result["anyOf"] = result.pop("oneOf")
    if nullable:
        return {"anyOf": [{"type": "null"}, result]}
    return result
