"""`/operator/sign-in` and `/operator/sign-out`: an operator's token is shown once; a session stands for it."""

from datetime import timedelta
from typing import Final

from fastapi import Response

from kong_app_auth.portal.api.client_address import client_address, counted_as
from kong_app_auth.portal.api.return_paths import safe_path
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import MAX_TOKEN
from kong_app_auth.portal.api.throttle import throttle
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import operator_sessions
from kong_app_auth.portal.services.rate_limits import Limit
from kong_app_auth.portal.web.forms import Form, OperatorForm, OperatorsAddressForm
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.resuming import carried, resume, written
from kong_app_auth.portal.web.sessions import (
    OPERATOR_COOKIE,
    OPERATOR_PATH,
    OperatorAccess,
    OperatorReader,
    OperatorsAddress,
    root_of,
)
from kong_app_auth.portal.web.sites import site_of

routes = router("/operator", "Pages")

SIGN_INS_OF_ADDRESS: Final = 30


@routes.get("/sign-in", response_class=Response)
def show_sign_in(access: OperatorsAddress, return_to: str = "/operator") -> Response:
    """Ask for the token."""
    path = _own_path(return_to)
    return see_other(access.request, path) if access.signed_in else _page(access, return_to=path)


@routes.post("/sign-in", response_class=Response)
def sign_in(access: OperatorsAddress, form: OperatorsAddressForm) -> Response:
    """Begin a session in the name of the token's holder."""
    address = counted_as(client_address(access.request, access.plane.configuration.trusted_proxies))
    throttle(access, Limit("operator_sign_in", address, SIGN_INS_OF_ADDRESS, timedelta(minutes=15)))
    token, kept = form.secret("token").strip(), carried(form)
    with access.read() as tx:
        operator = operator_sessions.holder(tx, token) if 0 < len(token) <= MAX_TOKEN else None
    if operator is None:
        return _page(
            access, 422, {"token": "This token opens nothing: it is wrong, was revoked, or has expired."}, form=form
        )
    with access.plane.write(operator) as tx:
        text = operator_sessions.begin(tx, operator)
    if kept is None:
        response = see_other(access.request, _own_path(form.text("return_to")), "signed-in")
    else:
        response = resume(_signed_in(access, text), *kept)
    set_cookie(access.plane, response, root_of(access.request), text)
    return response


@routes.post("/sign-out", response_class=Response)
def sign_out(access: OperatorReader, form: OperatorForm) -> Response:  # noqa: ARG001  the form is known to be ours
    """End the session."""
    if access.session_id is not None:
        with access.write() as tx:
            operator_sessions.end(tx, access.session_id)
    response = see_other(access.request, "/operator/sign-in", "signed-out")
    response.delete_cookie(OPERATOR_COOKIE, path=root_of(access.request) + OPERATOR_PATH)
    return response


def set_cookie(plane: ControlPlane, response: Response, root: str, text: str) -> None:
    """Hand a session to the browser: for these pages alone, and only with requests that begin on them."""
    age = int(operator_sessions.LONGEST.total_seconds())
    response.set_cookie(
        OPERATOR_COOKIE,
        text,
        age,
        path=root + OPERATOR_PATH,
        secure=plane.configuration.secure,
        httponly=True,
        samesite="strict",
    )


def _signed_in(access: OperatorAccess, text: str) -> OperatorAccess:
    with access.read() as tx:
        return OperatorAccess(access.request, access.plane, operator_sessions.find(tx, text))


def _own_path(text: str) -> str:
    path = safe_path(text, OPERATOR_PATH)
    return path if path == OPERATOR_PATH or path.startswith(OPERATOR_PATH + "/") else OPERATOR_PATH


def _page(
    access: OperatorAccess,
    status: int = 200,
    errors: dict[str, str] | None = None,
    *,
    return_to: str = OPERATOR_PATH,
    form: Form | None = None,
) -> Response:
    given = form or Form()
    kept = carried(given)
    return render(
        access,
        site_of(access),
        "operators/sign_in.html",
        status,
        errors=errors or {},
        return_to=_own_path(given.text("return_to", return_to)),
        kept_path=None if kept is None else kept[0],
        kept_fields=None if kept is None else written(kept[1]),
    )
