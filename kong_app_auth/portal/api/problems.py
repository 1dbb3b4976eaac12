"""Konnect's problem documents (RFC 9457 in its form): every answer that is not a success."""

from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from kong_app_auth.portal.api.request_id import request_id_of
from kong_app_auth.portal.errors import Invalid, InvalidParameter, Refused, TooManyRequests

MEDIA_TYPE: Final = "application/problem+json"
MAX_PARAMETERS: Final = 50

_TITLES: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
}
_RULES: Final = {
    "missing": "required",
    "extra_forbidden": "unknown_property",
    "string_type": "is_string",
    "bool_type": "is_boolean",
    "int_type": "is_integer",
    "int_parsing": "is_integer",
    "float_type": "is_number",
    "list_type": "is_array",
    "dict_type": "is_object",
    "model_type": "is_object",
    "model_attributes_type": "is_object",
    "is_uuid": "is_uuid",
    "is_label": "is_label",
    "datetime_type": "is_date_time",
    "datetime_parsing": "is_date_time",
    "datetime_from_date_parsing": "is_date_time",
    "string_pattern_mismatch": "matches_regex",
    "union_tag_not_found": "required",
}
_MINIMA: Final = {
    "string_too_short": ("min_length", "min_length"),
    "too_short": ("min_items", "min_length"),
    "greater_than_equal": ("min", "ge"),
}
_MAXIMA: Final = {
    "string_too_long": ("max_length", "max_length"),
    "too_long": ("max_items", "max_length"),
    "less_than_equal": ("max", "le"),
}
_log = structlog.get_logger()


def document(request: Request, status: int, detail: str, title: str | None = None, **more: Any) -> dict[str, Any]:
    """Give a problem document."""
    return {
        "status": status,
        "title": title or _TITLES.get(status, "Error"),
        "type": f"https://httpstatuses.com/{status}",
        "instance": f"kong:trace:{request_id_of(request)}",
        "detail": detail,
        **more,
    }


def answer(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Send a problem document."""
    return JSONResponse(body, body["status"], headers, media_type=MEDIA_TYPE)


def parameter(one: InvalidParameter) -> dict[str, Any]:
    """One of a problem document's `invalid_parameters`."""
    written: dict[str, Any] = {"field": one.field, "rule": one.rule, "source": one.source, "reason": one.reason}
    if one.bound is not None:
        written["minimum" if one.rule.startswith("min") else "maximum"] = one.bound
    if one.choices is not None:
        written["choices"] = list(one.choices)
    if one.rule == "dependent_fields":
        written["dependents"] = list(one.dependents or ()) or None
    return written


def install(app: FastAPI) -> None:
    """Let every error of `app` be told as a problem document."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  for the type checkers: it is registered for these
    headers: dict[str, str] = {}
    if error.status == 401 and "authorization" in _challenges(request):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.retry_after)
    body = document(request, error.status, error.detail, error.title)
    if isinstance(error, Invalid):
        body["invalid_parameters"] = [parameter(one) for one in error.parameters]
    return answer(body, headers)


def _challenges(request: Request) -> str:
    return "authorization" if request.scope["path"].startswith(("/v3", "/v2", "/internal")) else "cookie"


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = {_key(one): one for one in (_parameter(dict(each)) for each in error.errors())}
    return await _refused(request, Invalid(*list(found.values())[:MAX_PARAMETERS]))


def _key(one: InvalidParameter) -> tuple[str, str, str]:
    return one.source, one.field, one.reason


def _parameter(error: dict[str, Any]) -> InvalidParameter:
    source, *path = [str(part) for part in error["loc"]] or ["body"]
    field = ".".join(path) or source
    kind = str(error["type"])
    context: dict[str, Any] = error.get("ctx") or {}
    if kind == "json_invalid":
        return InvalidParameter(field="body", reason="is not valid JSON", rule="invalid")
    reason = str(error["msg"])
    rule, bound, choices = _RULES.get(kind, "invalid"), None, None
    if kind in _MINIMA:
        rule, bound = _MINIMA[kind][0], int(context[_MINIMA[kind][1]])
    elif kind in _MAXIMA:
        rule, bound = _MAXIMA[kind][0], int(context[_MAXIMA[kind][1]])
    elif kind in ("literal_error", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags"))
        rule, choices = "enum", tuple(part.strip(" '") for part in expected.replace(" or ", ", ").split(","))
    return InvalidParameter(field=field, reason=reason, rule=rule, source=source, bound=bound, choices=choices)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101
    if error.status_code == 400:
        return await _refused(request, Invalid(InvalidParameter(field="body", reason=str(error.detail))))
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(sorted(_allowed(request)))
    return answer(document(request, error.status_code, str(error.detail)), headers)


def _allowed(request: Request) -> set[str]:
    """Every method that the path has a route for: Starlette names those of the first route only (RFC 9110, 10.2.1)."""
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    routes: list[APIRoute] = request.app.state.routes
    return {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}


async def _unexpected(request: Request, error: Exception) -> Response:
    # The text of an exception may hold what a client sent, so only its type is logged here.
    _log.error("unexpected error", error=type(error).__name__, path=request.scope["path"], id=request_id_of(request))
    return answer(document(request, 500, "An unexpected error occurred"))
