"""Hooks for schemathesis: real ids in place of random ones, and what the documents leave out."""

import json
import os
import random
from typing import Any

import schemathesis

IDS: dict[str, list[str]] = json.loads(os.environ.get("CONTRACT_IDS", "{}"))
"""Ids of records that exist, by the name of the parameter or field that takes them."""
SEMANTIC = {"missing_reference", "dependent_fields", "invalid", "is_fqdn", "is_label"}
"""Rules of `invalid_parameters` that no schema can say."""
COMMON = {
    "400": "The request is wrong.",
    "401": "Nobody known asks.",
    "403": "Not allowed.",
    "404": "Not there.",
    "405": "No such method.",
    "409": "The state of things is against it.",
    "413": "Too large.",
    "415": "Not JSON.",
    "429": "Too many requests.",
}
_random = random.Random(20261123)


@schemathesis.hook
def before_load_schema(_context: Any, raw_schema: dict[str, Any]) -> None:
    """Let every operation answer with the problem documents that any operation may answer with."""
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/BaseError"}}}
    for item in raw_schema["paths"].values():
        for method, operation in item.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                for status, description in COMMON.items():
                    operation["responses"].setdefault(status, {"description": description, "content": problem})


@schemathesis.hook
def map_path_parameters(_context: Any, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Name records that exist, four times out of five."""
    for name in path_parameters or {}:
        if name in IDS and _random.random() < 0.8:
            path_parameters[name] = _random.choice(IDS[name])  # type: ignore[index]
    return path_parameters


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """Refer to records that exist, four times out of five."""
    if isinstance(body, dict):
        for name in body:
            if name != "id" and name in IDS and body[name] is not None and _random.random() < 0.8:
                body[name] = _random.choice(IDS[name])
            elif name == "auth_strategy_ids" and "auth_strategy_id" in IDS and body[name] and _random.random() < 0.8:
                body[name] = [_random.choice(IDS["auth_strategy_id"])]
            elif name == "owner" and "developerId" in IDS and isinstance(body[name], dict) and _random.random() < 0.8:
                body[name] = {"type": "developer", "id": _random.choice(IDS["developerId"])}
    return body


@schemathesis.check
def refused_for_a_reason_no_schema_says(_context: Any, response: Any, case: Any) -> None:
    """A request that the document allows is a 400 only for what no document can say, or for its query."""
    if response.status_code != 400 or not case.meta.generation.mode.is_positive:
        return
    for one in response.json().get("invalid_parameters", []):
        assert one["source"] == "query" or one["rule"] in SEMANTIC, f"refused although the document allows it: {one}"
