"""`/sign-up`, `/verify-email`, `/forgotten-password`, `/reset-password`, `/account`."""

from typing import Any

from fastapi import Response

from kong_app_auth.portal.actors import SignedIn
from kong_app_auth.portal.api.cookies import clear_session
from kong_app_auth.portal.api.even_time import even_time
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.throttle import mail_limits, password_limits, throttle, token_limits
from kong_app_auth.portal.contract.accounts import (
    RegisterPayload,
    ResetPasswordPayload,
    ResetPasswordRequest,
    UpdateMeRequest,
    VerifyEmailRequest,
)
from kong_app_auth.portal.errors import Forbidden, Gone, Invalid, NotFound, Refused, TooManyRequests, invalid
from kong_app_auth.portal.services import accounts, passwords, sessions
from kong_app_auth.portal.services.departures import end_sessions
from kong_app_auth.portal.store.developers import Developer as Account
from kong_app_auth.portal.views.accounts import session_list
from kong_app_auth.portal.web.forms import DeveloperForm, Form, VisitorForm, checked, errors_of
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import Developer, PageAccess, Visitor
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("", "Pages")


def _status(wrong: Refused) -> int:
    return 429 if isinstance(wrong, TooManyRequests) else 422


def _page(access: PageAccess, template: str, status: int = 200, **context: Any) -> Response:
    return render(access, site_of(access), f"developers/{template}.html", status, **{"errors": {}, **context})


@routes.get("/sign-up", response_class=Response)
def show_sign_up(access: Visitor) -> Response:
    """Ask for name and address."""
    return see_other(access.request, "/") if access.signed_in else _page(access, "sign_up", form=Form())


@routes.post("/sign-up", response_class=Response)
def sign_up(access: Visitor, form: VisitorForm) -> Response:
    """Sign up. The answer is the same for an address that is known."""
    try:
        wanted = checked(RegisterPayload, {"email": form.text("email"), "full_name": form.text("full_name")})
        throttle(access, *mail_limits(access, "sign_up", wanted.email))
    except (Invalid, TooManyRequests) as wrong:
        return _page(access, "sign_up", _status(wrong), form=form, errors=errors_of(wrong))
    with even_time(), access.write() as tx:
        accounts.register(tx, access.portal.id, wanted)
    return see_other(access.request, "/sign-up/sent")


@routes.get("/sign-up/sent", response_class=Response)
def show_sign_up_sent(access: Visitor) -> Response:
    """Say that a mail is on its way."""
    return _page(access, "sent", heading=words("Look into your mail"), purpose="verify")


@routes.get("/verify-email", response_class=Response)
def show_verify_email(access: Visitor) -> Response:
    """Ask for the token of the mail. It comes behind the link's #, or is pasted."""
    return _page(access, "verify_email")


@routes.post("/verify-email", response_class=Response)
def verify_email(access: Visitor, form: VisitorForm) -> Response:
    """Confirm the address, and go on to the first password."""
    try:
        throttle(access, *token_limits(access))
        wanted = checked(VerifyEmailRequest, {"token": _token(form)})
        with access.write() as tx:
            email, token = accounts.verify_email(tx, access.portal.id, wanted.token)
    except (Invalid, TooManyRequests, NotFound, Gone) as wrong:
        return _page(access, "verify_email", _status(wrong), errors=_about_token(wrong))
    return _page(access, "set_password", email=email, token=token, first=True)


@routes.get("/forgotten-password", response_class=Response)
def show_forgotten_password(access: Visitor) -> Response:
    """Ask for the address."""
    return _page(access, "forgotten_password", form=Form())


@routes.post("/forgotten-password", response_class=Response)
def forgotten_password(access: Visitor, form: VisitorForm) -> Response:
    """Send the way to a new password, if the address is known. The answer does not say."""
    try:
        wanted = checked(ResetPasswordPayload, {"email": form.text("email")})
        throttle(access, *mail_limits(access, "reset", wanted.email))
    except (Invalid, TooManyRequests) as wrong:
        return _page(access, "forgotten_password", _status(wrong), form=form, errors=errors_of(wrong))
    with even_time(), access.write() as tx:
        accounts.forgot_password(tx, access.portal.id, wanted.email)
    return see_other(access.request, "/forgotten-password/sent")


@routes.get("/forgotten-password/sent", response_class=Response)
def show_forgotten_password_sent(access: Visitor) -> Response:
    """Say that a mail is on its way, if the address is known."""
    return _page(access, "sent", heading=words("Look into your mail"), purpose="reset")


@routes.get("/reset-password", response_class=Response)
def show_reset_password(access: Visitor) -> Response:
    """Ask for the token of the mail and a new password."""
    return _page(access, "set_password", email="", token="", first=False)


@routes.post("/reset-password", response_class=Response)
def reset_password(access: Visitor, form: VisitorForm) -> Response:
    """Set the password."""
    first, email = form.flag("first"), form.text("email")
    try:
        throttle(access, *token_limits(access))
        wanted = checked(ResetPasswordRequest, {"token": _token(form), "password": form.secret("new_password")})
        with access.read() as tx:
            developer = accounts.whose_password(tx, access.portal.id, wanted.token)
        passwords.check_rules(
            wanted.password, email=developer.email, full_name=developer.full_name, field="new_password"
        )
        password_hash = passwords.hashed(wanted.password)
        with access.write() as tx:
            accounts.reset_password(tx, access.portal.id, wanted.token, password_hash)
            approved = tx.session.get_one(Account, developer.id).status == "approved"
    except (Invalid, TooManyRequests, NotFound, Gone) as wrong:
        errors = errors_of(wrong)
        if not isinstance(wrong, Invalid) or "token" in errors:
            errors = _about_token(wrong)
        context = {"email": email, "token": _token(form), "first": first, "errors": errors}
        return _page(access, "set_password", _status(wrong), **context)
    return see_other(access.request, "/sign-in", "password-set" if approved else "password-set-pending")


@routes.get("/account", response_class=Response)
def show_account(access: Developer) -> Response:
    """The profile, the password, the sessions, and the end."""
    return _account(access)


@routes.post("/account", response_class=Response)
def change_profile(access: Developer, form: DeveloperForm) -> Response:
    """Change the name."""
    try:
        wanted = checked(UpdateMeRequest, {"full_name": form.text("full_name")})
    except Invalid as wrong:
        return _account(access, 422, errors_of(wrong), full_name=form.text("full_name"))
    with access.write() as tx:
        accounts.update(tx, access.developer_id, wanted)
    return see_other(access.request, "/account", "saved")


@routes.post("/account/password", response_class=Response)
def change_password(access: Developer, form: DeveloperForm) -> Response:
    """Set another password; all other sessions end."""
    try:
        old_hash = _own_password(access, form.secret("current_password"), "current_password")
        with access.read() as tx:
            developer = accounts.me(tx, access.developer_id)
        new = form.secret("new_password")
        passwords.check_rules(new, email=developer.email, full_name=developer.full_name, field="new_password")
        new_hash = passwords.hashed(new)
        with access.write() as tx:
            accounts.change_password(tx, access.developer_id, _session_id(access), old_hash, new_hash)
    except (Invalid, TooManyRequests, Gone) as wrong:
        return _account(access, _status(wrong), errors_of(wrong, field="current_password"))
    return see_other(access.request, "/account", "password-changed")


@routes.post("/account/sessions/end", response_class=Response)
def end_session(access: Developer, form: DeveloperForm) -> Response:
    """End one of the own sessions, or all others."""
    session_id = form.optional("session")
    with access.write() as tx:
        if session_id is None:
            end_sessions(tx, access.developer_id, but=_session_id(access))
        else:
            sessions.end(tx, access.developer_id, session_id)
    return see_other(access.request, "/account", "sessions-ended")


@routes.post("/account/delete", response_class=Response)
def delete_account(access: Developer, form: DeveloperForm) -> Response:
    """Delete the account with its applications and their keys."""
    with access.read() as tx:
        with_password = accounts.me(tx, access.developer_id).password_hash is not None
    try:
        if with_password:
            _own_password(access, form.secret("password"), "password")
        with access.write() as tx:
            accounts.delete(tx, access.developer_id, _session_id(access), form.text("email"))
    except (Invalid, TooManyRequests, Forbidden) as wrong:
        return _account(access, _status(wrong), errors_of(wrong, field="password"))
    response = see_other(access.request, "/", "account-deleted")
    clear_session(access, response)
    return response


def _account(
    access: PageAccess, status: int = 200, errors: dict[str, str] | None = None, full_name: str | None = None
) -> Response:
    with access.read() as tx:
        me = accounts.me(tx, access.developer_id)
        own = session_list(sessions.own(tx, access.developer_id), _session_id(access)).data
        return _page(
            access,
            "account",
            status,
            me=me,
            full_name=me.full_name if full_name is None else full_name,
            with_password=me.password_hash is not None,
            fresh=sessions.is_fresh(tx, _session_id(access)),
            sessions=own,
            errors=errors or {},
        )


def _own_password(access: PageAccess, password: str, field: str) -> str | None:
    """Check the own password; give its hash. Raises Invalid, TooManyRequests."""
    throttle(access, *password_limits(access))
    with access.read() as tx:
        password_hash = accounts.me(tx, access.developer_id).password_hash
    if len(password) > 1024 or not passwords.matches(password_hash, password):
        raise invalid(field, "is not your password")
    return password_hash


def _session_id(access: PageAccess) -> str:
    return access.actor.session_id if isinstance(access.actor, SignedIn) else ""


def _token(form: Form) -> str:
    """The token as it was pasted: alone, or with the whole link around it."""
    return form.text("token").rpartition("token=")[2].strip()


def _about_token(wrong: Refused) -> dict[str, str]:
    if isinstance(wrong, TooManyRequests):
        return errors_of(wrong)
    if isinstance(wrong, Gone):
        return {"token": "This link was used already, or is too old. Ask for a new one."}
    return {"token": "This is not a link that this portal has sent. Copy it once more from the mail."}
