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
    """Mend what keeps the documents from being taken at their word.

    Any operation may answer with the common problem documents. `labels` are in answers although they are marked as for
    requests only. The discriminators name no values, so that none would be right.
    """
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/BaseError"}}}
    for item in raw_schema["paths"].values():
        for method, operation in item.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                for status, description in COMMON.items():
                    operation["responses"].setdefault(status, {"description": description, "content": problem})
    schemas = raw_schema["components"]["schemas"]
    schemas.get("LabelsUpdate", {}).pop("writeOnly", None)
    for schema in schemas.values():
        _drop_discriminators(schema)


def _drop_discriminators(schema: Any) -> None:
    if isinstance(schema, dict):
        if isinstance(schema.get("discriminator"), dict):
            del schema["discriminator"]
        for part in schema.values():
            _drop_discriminators(part)
    elif isinstance(schema, list):
        for part in schema:
            _drop_discriminators(part)


@schemathesis.hook
def map_case(_context: Any, case: Any) -> Any:
    """Name records that exist, four times out of five, where the request is to be a good one."""
    if not case.meta.generation.mode.is_positive:
        return case
    for name in case.path_parameters or {}:
        if name in IDS and _random.random() < 0.8:
            case.path_parameters[name] = _random.choice(IDS[name])
    body = case.body
    if isinstance(body, dict):
        for name in body:
            if _random.random() < 0.2 or not body[name]:
                continue
            if name != "id" and name in IDS:
                body[name] = _random.choice(IDS[name])
            elif name == "auth_strategy_ids" and "auth_strategy_id" in IDS:
                body[name] = [_random.choice(IDS["auth_strategy_id"])]
            elif name == "owner" and "developerId" in IDS:
                body[name] = {"type": "developer", "id": _random.choice(IDS["developerId"])}
    return case


MORE_METHODS = {"/portals/{portalId}/applications/{applicationId}/credentials", "/api/v3/developer/me"}
"""Paths that take more methods here than the documents know: docs/decisions/0018."""


@schemathesis.hook
def filter_failure(_context: Any, failure: Any, case: Any, _response: Any) -> bool:
    """Leave out what is said of methods beyond the documents."""
    about_methods = type(failure).__name__ in {"AllowHeaderMismatch", "UnsupportedMethodResponse"}
    return not (about_methods and case.operation.path in MORE_METHODS)


@schemathesis.check
def refused_for_a_reason_no_schema_says(_context: Any, response: Any, case: Any) -> None:
    """A request that the document allows is a 400 only for what no document can say, or what this one forgot to."""
    if response.status_code != 400 or not case.meta.generation.mode.is_positive:
        return
    for one in response.json().get("invalid_parameters", []):
        assert one["source"] == "query" or _is_semantic(one), f"refused although the document allows it: {one}"


def _is_semantic(one: dict[str, Any]) -> bool:
    """Judge one invalid parameter. What the documents forget: docs/decisions/0018."""
    return (
        one["rule"] in SEMANTIC
        or one["rule"] == "unknown_property"  # where a document leaves it open whether there may be more
        or (one["rule"] == "min_length" and one["minimum"] == 1)  # a name of no letters
        or (one["rule"] == "required" and one["field"] == "body")  # an operation with nothing to do
        or (one["rule"] == "enum" and one["field"].endswith(("role_name", "entity_type_name", "metrics")))
        or (one["rule"] == "matches_regex" and one["field"].endswith("key_names"))
    )
