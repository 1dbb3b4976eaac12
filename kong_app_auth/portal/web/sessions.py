"""Who is at the pages: parameters of routes, as `api.security` has them for the API.

`Visitor` is anybody at a portal's address, `Developer` somebody who is signed in there; `OperatorsAddress` is anybody
at the control plane's own address, `OperatorReader` and `OperatorWriter` operators with a session. Who is not signed in
is led to where one signs in; what was typed is not lost on the way (see `web.resuming`).
"""

import secrets
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from sqlalchemy import or_, select

from kong_app_auth.portal.actors import Operator, SignedIn, System
from kong_app_auth.portal.api.same_site import refuse_cross_site
from kong_app_auth.portal.api.security import ACCESS_COOKIE, MAX_TOKEN, Access, Guest, Plane, PortalAccess
from kong_app_auth.portal.errors import Forbidden, NotFound
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import operator_sessions
from kong_app_auth.portal.store.portals import Portal

OPERATOR_COOKIE: Final = "operatorsession"
NONCE_COOKIE: Final = "portalform"
OPERATOR_NONCE_COOKIE: Final = "operatorform"
OPERATOR_PATH: Final = "/operator"
NOT_RENEWED_COOKIE: Final = "notrenewed"
NOT_RENEWED_FOR: Final = 60
"""Seconds in which a session is not tried to be renewed again: it may be another portal's, on the same host."""


class SignInFirst(Exception):  # noqa: N818  named for what it says
    """The page is for somebody who is signed in; `web.errors` leads there. `needed` False: it can be seen without."""

    def __init__(self, *, needed: bool = True) -> None:
        super().__init__("a session is needed")
        self.needed = needed


class OperatorSignInFirst(SignInFirst):
    """The page is for operators."""


class PageAccess(PortalAccess):
    """A caller of a portal's pages. `binding`: what the tokens of the caller's forms are bound to."""

    def __init__(self, of: PortalAccess) -> None:
        super().__init__(of.request, of.plane, of.actor, of.portal)  # type: ignore[arg-type]
        self.nonce = Nonce(of.request, NONCE_COOKIE, root_of(of.request) or "/", secure=of.plane.configuration.secure)

    @property
    def signed_in(self) -> bool:
        """Whether somebody is signed in."""
        return isinstance(self.actor, SignedIn)

    @property
    def binding(self) -> str:
        """The session, or the nonce of a visitor's browser."""
        if isinstance(self.actor, SignedIn):
            return f"developer {self.actor.session_id}"
        return f"visitor {self.portal.id} {self.nonce.text}"


class OperatorAccess(Access):
    """A caller of the operators' pages; `session_id` None: nobody is signed in."""

    def __init__(self, request: Request, plane: ControlPlane, found: operator_sessions.Found | None) -> None:
        super().__init__(request, plane, System(region="") if found is None else found.operator)
        self.session_id = None if found is None else found.session_id
        path = root_of(request) + OPERATOR_PATH
        self.nonce = Nonce(request, OPERATOR_NONCE_COOKIE, path, secure=plane.configuration.secure)

    @property
    def signed_in(self) -> bool:
        """Whether somebody is signed in."""
        return self.session_id is not None

    @property
    def operator(self) -> Operator:
        """Who is signed in. Raises OperatorSignInFirst."""
        if not isinstance(self.actor, Operator):
            raise OperatorSignInFirst
        return self.actor

    @property
    def binding(self) -> str:
        """The session, or the nonce of a visitor's browser."""
        return f"operator {self.session_id or self.nonce.text}"


class Nonce:
    """A random text that a browser keeps: a visitor's forms are bound to it. It is made when first needed."""

    def __init__(self, request: Request, name: str, path: str, *, secure: bool) -> None:
        self._shown = request.cookies.get(name)
        self._name, self._path, self._secure = name, path, secure
        self._new: str | None = None

    @property
    def text(self) -> str:
        """Give it."""
        if self._shown and 20 <= len(self._shown) <= 64:
            return self._shown
        self._new = self._new or secrets.token_urlsafe(24)
        return self._new

    def hand_over(self, response: Response) -> None:
        """Let the browser keep it, if it is new."""
        if self._new is not None:
            response.set_cookie(
                self._name, self._new, path=self._path, secure=self._secure, httponly=True, samesite="lax"
            )


def root_of(request: Request) -> str:
    """The path before the site's own paths: `/p/<slug>`, or nothing."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def path_of(request: Request) -> str:
    """The page's own path with its query, from the site's root."""
    path: str = request.scope["path"].removeprefix(root_of(request))
    query: str = request.scope["query_string"].decode("ascii", "replace")
    return f"{path}?{query}" if query else path


def _visitor(request: Request, access: Guest) -> PageAccess:
    page = PageAccess(access)
    request.state.page = page
    shown = request.cookies.get(ACCESS_COOKIE) and NOT_RENEWED_COOKIE not in request.cookies
    stale = shown and not page.signed_in and access.portal.authentication_enabled
    if stale and request.method in ("GET", "HEAD"):
        raise SignInFirst(needed=False)
    return page


def _developer(access: Annotated[PageAccess, Depends(_visitor)]) -> PageAccess:
    if not access.signed_in:
        raise SignInFirst
    return access


Visitor = Annotated[PageAccess, Depends(_visitor)]
"""Anybody at a portal's address, signed in or not."""
Developer = Annotated[PageAccess, Depends(_developer)]
"""A developer who is signed in and approved."""


def _operators_address(request: Request, plane: Plane) -> OperatorAccess:
    """Operators' pages are at the control plane's own address, never at a portal's. Raises NotFound."""
    refuse_cross_site(request)
    text = request.cookies.get(OPERATOR_COOKIE)
    found = None
    if request.scope.get("state", {}).get("portal_slug"):
        raise NotFound
    host = (request.url.hostname or "").lower()
    with plane.read(System(region="")) as tx:
        if host != urlsplit(plane.configuration.public_url).hostname:
            portals = select(Portal.id).where(or_(Portal.default_domain == host, Portal.custom_domain == host))
            if tx.session.scalar(portals) is not None:
                raise NotFound
        if text and len(text) <= MAX_TOKEN:
            found = operator_sessions.find(tx, text)
    access = OperatorAccess(request, plane, found)
    request.state.page = access
    return access


def _operator_reader(access: Annotated[OperatorAccess, Depends(_operators_address)]) -> OperatorAccess:
    if not access.signed_in:
        raise OperatorSignInFirst
    return access


def _operator_writer(access: Annotated[OperatorAccess, Depends(_operator_reader)]) -> OperatorAccess:
    if not access.operator.writes:
        raise Forbidden("Your token may only read")
    return access


OperatorsAddress = Annotated[OperatorAccess, Depends(_operators_address)]
"""Anybody at the control plane's own address."""
OperatorReader = Annotated[OperatorAccess, Depends(_operator_reader)]
"""An operator who may look."""
OperatorWriter = Annotated[OperatorAccess, Depends(_operator_writer)]
"""An operator who may change things."""
