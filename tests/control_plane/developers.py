"""Developers for tests: put into the database as they are, signed in by a session that needs no password."""

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.developers import Developer, DeveloperSession
from kong_app_auth.portal.store.portals import Portal
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION


def developer(clients: Clients, portal_id: str, *, region: str = REGION, **columns: Any) -> str:
    """Put an approved developer into a portal; give the id. `columns` say what is to be otherwise."""
    developer_id = new_id()
    email = str(columns.pop("email", f"dev-{developer_id[:8]}@example.com"))
    given = {"full_name": "Dora Developer", "status": "approved", "email_key": email.lower(), **columns}
    with clients.plane.write(System(region=region)) as tx:
        tx.session.add(Developer(id=developer_id, portal_id=portal_id, email=email, **given))
    return developer_id


def session(clients: Clients, portal_id: str, developer_id: str, *, region: str = REGION) -> "SignedInClient":
    """A browser at the portal's address with a session of the developer. `client.developer_id` says whose."""
    access, refresh = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    with clients.plane.write(System(region=region)) as tx:
        tx.session.add(
            DeveloperSession(
                developer_id=developer_id,
                portal_id=portal_id,
                access_digest=hashlib.sha256(access.encode()).hexdigest(),
                access_expires_at=tx.now + timedelta(days=3650),
                refresh_digest=hashlib.sha256(refresh.encode()).hexdigest(),
                refresh_expires_at=tx.now + timedelta(days=3650),
            )
        )
        portal = tx.session.get(Portal, portal_id)
        assert portal is not None
        slug = portal.slug
    client = SignedInClient(clients.nobody().http, f"/p/{slug}")
    client.developer_id = developer_id
    client.http.cookies.set("portalaccesstoken", access)
    return client


def signed_in(clients: Clients, portal_id: str, *, region: str = REGION, **columns: Any) -> "SignedInClient":
    """A new developer of the portal, approved unless `columns` say otherwise, with a session."""
    return session(clients, portal_id, developer(clients, portal_id, region=region, **columns), region=region)


class SignedInClient(Client):
    """A client whose developer is known."""

    developer_id: str
