"""`/api/v3/developer`: the own account."""

from fastapi import Response

from kong_app_auth.portal.actors import SignedIn
from kong_app_auth.portal.api.cookies import clear_session
from kong_app_auth.portal.api.even_time import even_time
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Guest, Member, PortalAccess
from kong_app_auth.portal.api.throttle import mail_limits, password_limits, throttle, token_limits
from kong_app_auth.portal.contract.accounts import (
    ChangePasswordRequest,
    DeleteMeRequest,
    DeveloperView,
    RegisterPayload,
    ResetPasswordPayload,
    ResetPasswordRequest,
    UpdateMeRequest,
    VerifyEmailRequest,
    VerifyEmailResponse,
)
from kong_app_auth.portal.errors import Unauthorized, invalid
from kong_app_auth.portal.services import accounts, passwords
from kong_app_auth.portal.views.accounts import developer_view

routes = router("/api/v3/developer", "Developer")


@routes.post("", status_code=201, response_class=Response)
def register(access: Guest, wanted: RegisterPayload) -> Response:
    """`register`."""
    throttle(access, *mail_limits(access, "sign_up", wanted.email))
    with even_time(), access.write() as tx:
        accounts.register(tx, access.portal.id, wanted)
    return Response(status_code=201)


@routes.post("/verify-email", status_code=202)
def verify_email(access: Guest, wanted: VerifyEmailRequest) -> VerifyEmailResponse:
    """`verify-email`."""
    throttle(access, *token_limits(access))
    with access.write() as tx:
        email, token = accounts.verify_email(tx, access.portal.id, wanted.token)
    return VerifyEmailResponse(email=email, token=token)


@routes.post("/forgot-password", response_class=Response)
def forgot_password(access: Guest, wanted: ResetPasswordPayload) -> Response:
    """`forgot-password`."""
    throttle(access, *mail_limits(access, "reset", wanted.email))
    with even_time(), access.write() as tx:
        accounts.forgot_password(tx, access.portal.id, wanted.email)
    return Response()


@routes.post("/reset-password", status_code=204)
def reset_password(access: Guest, wanted: ResetPasswordRequest) -> None:
    """`reset-password`."""
    throttle(access, *token_limits(access))
    with access.read() as tx:
        developer = accounts.whose_password(tx, access.portal.id, wanted.token)
    passwords.check_rules(wanted.password, email=developer.email, full_name=developer.full_name)
    password_hash = passwords.hashed(wanted.password)
    with access.write() as tx:
        accounts.reset_password(tx, access.portal.id, wanted.token, password_hash)


@routes.get("/me")
def get_developer_me(access: Member) -> DeveloperView:
    """`get-developer-me`."""
    with access.read() as tx:
        return developer_view(accounts.me(tx, access.developer_id))


@routes.patch("/me")
def update_me(access: Member, wanted: UpdateMeRequest) -> DeveloperView:
    """Change the own profile (beyond the contract)."""
    with access.write() as tx:
        return developer_view(accounts.update(tx, access.developer_id, wanted))


@routes.post("/change-password", status_code=204)
def change_password(access: Member, wanted: ChangePasswordRequest) -> None:
    """Change the own password while signed in; all other sessions end (beyond the contract)."""
    old_hash = _own_password(access, wanted.current_password, "current_password")
    with access.read() as tx:
        developer = accounts.me(tx, access.developer_id)
    rules = {"email": developer.email, "full_name": developer.full_name}
    passwords.check_rules(wanted.new_password, **rules, field="new_password")
    new_hash = passwords.hashed(wanted.new_password)
    with access.write() as tx:
        accounts.change_password(tx, access.developer_id, _session_id(access), old_hash, new_hash)


@routes.post("/delete-account", status_code=204)
def delete_account(access: Member, wanted: DeleteMeRequest, response: Response) -> None:
    """Delete the own account, its applications and their keys (beyond the contract)."""
    with access.read() as tx:
        with_password = accounts.me(tx, access.developer_id).password_hash is not None
    if with_password:
        _own_password(access, wanted.password, "password")
    with access.write() as tx:
        accounts.delete(tx, access.developer_id, _session_id(access), wanted.email)
    clear_session(access, response)


def _own_password(access: PortalAccess, password: str, field: str) -> str | None:
    """Check the own password; give its hash. Raises Invalid, TooManyRequests."""
    throttle(access, *password_limits(access))
    with access.read() as tx:
        password_hash = accounts.me(tx, access.developer_id).password_hash
    if not passwords.matches(password_hash, password):
        raise invalid(field, "is not your password")
    return password_hash


def _session_id(access: PortalAccess) -> str:
    if not isinstance(access.actor, SignedIn):
        raise Unauthorized
    return access.actor.session_id
