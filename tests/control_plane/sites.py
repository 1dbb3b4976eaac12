"""A portal as developers use it: sign-up, mails, sign-in."""

import re
from typing import Any

from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.mail import Message
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION

PASSWORD = "correct horse battery staple"
EMAIL = "dora@example.com"


class Site:
    """A portal, a browser at it, and the mails that it wrote."""

    def __init__(self, clients: Clients, operator: Client, **settings: Any) -> None:
        self.clients = clients
        self.operator = operator
        self.portal = operator.post("/v3/portals", {"name": f"Site {len(settings)}", **settings})
        self.browser = self.another_browser()

    def another_browser(self) -> Client:
        return self.clients.visitor(self.portal["id"])

    def mails(self, template: str | None = None) -> list[Message]:
        with self.clients.plane.read(System(region=REGION)) as tx:
            found = tx.session.scalars(select(Message).order_by(Message.created_at)).all()
        return [one for one in found if one.portal_id == self.portal["id"] and template in (None, one.template)]

    def token(self, template: str) -> str:
        found = re.search(r"#token=([0-9a-f-]{36})", self.mails(template)[-1].text)
        assert found is not None
        return found[1]

    def register(self, email: str = EMAIL) -> None:
        self.browser.request("POST", "/api/v3/developer", json={"email": email, "full_name": "Dora Ray"}, expect=201)

    def verify(self, expect: int = 202) -> Any:
        return self.browser.post(
            "/api/v3/developer/verify-email", {"token": self.token("confirm-email-address")}, expect=expect
        )

    def reset(self, token: str, password: str = PASSWORD, expect: int = 204) -> Any:
        body = {"token": token, "password": password}
        return self.browser.post("/api/v3/developer/reset-password", body, expect=expect)

    def sign_in(
        self, browser: Client | None = None, email: str = EMAIL, password: str = PASSWORD, expect: int = 204
    ) -> Any:
        body = {"username": email, "password": password}
        return (browser or self.browser).post("/api/v3/developer/authenticate", body, expect=expect)

    def with_developer(self) -> "Site":
        """Have a developer signed up, with a password."""
        self.register()
        self.reset(self.verify()["token"])
        return self
