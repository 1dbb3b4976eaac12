"""Who may call a route, as its parameters say: `Reader` and `Writer` are operators, `Guest` and `Member` developers.

What a route gets is a handle that opens transactions in the caller's name: whatever it does is seen and written in the
caller's region, portal and name only.
"""

from contextlib import AbstractContextManager
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import or_, select
from starlette.requests import HTTPConnection

from kong_app_auth.portal.actors import Actor, Anonymous, Operator, SignedIn, System
from kong_app_auth.portal.api.request_id import request_id_of
from kong_app_auth.portal.api.same_site import refuse_cross_site
from kong_app_auth.portal.errors import Forbidden, NotFound, Unauthorized
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.developers import Developer, DeveloperSession
from kong_app_auth.portal.store.operators import OperatorToken
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.token_digest import digest_of
from kong_app_auth.portal.transaction import Transaction

ACCESS_COOKIE = "portalaccesstoken"
REFRESH_COOKIE = "portalrefreshtoken"
MAX_TOKEN = 256


def plane_of(request: HTTPConnection) -> ControlPlane:
    """Give the control plane that this application serves."""
    plane: ControlPlane = request.app.state.plane
    return plane


Plane = Annotated[ControlPlane, Depends(plane_of)]


class Access:
    """Opens transactions in the name of the one who asks."""

    def __init__(self, request: Request, plane: ControlPlane, actor: Actor) -> None:
        self.request = request
        self.plane = plane
        self.actor = actor

    def read(self) -> AbstractContextManager[Transaction]:
        """Look at things."""
        return self.plane.read(self.actor, request_id=request_id_of(self.request))

    def write(self) -> AbstractContextManager[Transaction]:
        """Change things, all or nothing."""
        return self.plane.write(self.actor, request_id=request_id_of(self.request))


def bearer(request: HTTPConnection) -> str | None:
    """Give the bearer token of a request (RFC 6750, section 2.1), None where there is none."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    return token if scheme.lower() == "bearer" and 0 < len(token) <= MAX_TOKEN else None


def _operator(request: Request, plane: Plane) -> Access:
    token = bearer(request)
    if token is None:
        raise Unauthorized("A bearer token is needed")
    # Any region will do to look up a token: it tells the region itself.
    with plane.read(System(region="")) as tx:
        found = tx.session.scalar(select(OperatorToken).where(OperatorToken.digest == digest_of(token)))
        ended = found is None or found.revoked_at is not None
        if found is None or ended or (found.expires_at is not None and found.expires_at <= tx.now):
            raise Unauthorized
    return Access(request, plane, Operator(found.id, found.name, found.region, found.scope == "write"))


def _writing_operator(access: Annotated[Access, Depends(_operator)]) -> Access:
    if not isinstance(access.actor, Operator) or not access.actor.writes:
        raise Forbidden("This token may only read")
    return access


Reader = Annotated[Access, Depends(_operator)]
"""An operator who may look."""
Writer = Annotated[Access, Depends(_writing_operator)]
"""An operator who may change things."""


class PortalAccess(Access):
    """A caller of a portal's own address: somebody signed in, or not. `portal` is as it was when the request came."""

    def __init__(self, request: Request, plane: ControlPlane, actor: SignedIn | Anonymous, portal: Portal) -> None:
        super().__init__(request, plane, actor)
        self.portal = portal

    @property
    def developer_id(self) -> str:
        """The id of the one who is signed in. Raises Unauthorized for a visitor."""
        if not isinstance(self.actor, SignedIn):
            raise Unauthorized
        return self.actor.id


def _at_portal(request: Request, plane: Plane) -> PortalAccess:
    """Find the portal by the slug in the path (`/p/<slug>/…`) or by the host name, and who is signed in there."""
    slug: str | None = request.scope.get("state", {}).get("portal_slug")
    host = (request.url.hostname or "").lower()
    refuse_cross_site(request)
    with plane.read(System(region="")) as tx:
        here = Portal.slug == slug if slug else or_(Portal.default_domain == host, Portal.custom_domain == host)
        portal = tx.session.scalar(select(Portal).where(here))
        if portal is None:
            raise NotFound("There is no portal at this address")
        actor: SignedIn | Anonymous = Anonymous(portal.id, portal.region)
        token = request.cookies.get(ACCESS_COOKIE)
        if token and len(token) <= MAX_TOKEN and portal.authentication_enabled:
            found = tx.session.execute(
                select(DeveloperSession.id, Developer.id)
                .join(Developer, Developer.id == DeveloperSession.developer_id)
                .where(
                    DeveloperSession.access_digest == digest_of(token),
                    DeveloperSession.access_expires_at > tx.now,
                    DeveloperSession.portal_id == portal.id,
                    Developer.status == "approved",
                )
            ).first()
            if found is not None:
                actor = SignedIn(found[1], found[0], portal.id, portal.region)
    return PortalAccess(request, plane, actor, portal)


def _member(access: Annotated[PortalAccess, Depends(_at_portal)]) -> PortalAccess:
    if not isinstance(access.actor, SignedIn):
        raise Unauthorized
    return access


def _guest(access: Annotated[PortalAccess, Depends(_at_portal)]) -> PortalAccess:
    return access


Guest = Annotated[PortalAccess, Depends(_guest)]
"""Anybody at a portal's address, signed in or not."""
Member = Annotated[PortalAccess, Depends(_member)]
"""A developer who is signed in and approved."""
