"""Who comes to the pages: a visitor, a developer, an operator."""

import re
from urllib.parse import quote

from fastapi.routing import APIRoute

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.api.cookies import REFRESH_PATH
from kong_app_auth.portal.api.security import ACCESS_COOKIE, REFRESH_COOKIE
from kong_app_auth.portal.services import sessions
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.web.pages import routers
from kong_app_auth.portal.web.shown_once import ShownOnce
from tests.control_plane.clients import Clients
from tests.control_plane.developers import SignedInClient, signed_in
from tests.control_plane.inhabited import World
from tests.control_plane.settings import REGION
from tests.unit.portal.web.browser import Browser

API = "weather-api-v1"
ROUTES = sorted(
    {
        (method, route.path)
        for router in routers()
        for route in router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
)
PLAIN = {"api": API, "name": "style.css", "colour": "123456"}
OPERATORS = "/operator"


def of_operators(path: str) -> bool:
    return path == OPERATORS or path.startswith(OPERATORS + "/")


class People:
    """Makes browsers for a portal's pages."""

    def __init__(self, clients: Clients, world: World) -> None:
        self.clients = clients
        self.world = world
        self.prefix = f"/p/{world.slug}"

    def visitor(self) -> Browser:
        return Browser(self.clients.nobody().http, self.prefix)

    def developer(self) -> Browser:
        """The developer of the world, who has an application."""
        browser = self.visitor()
        name, _, value = self.world.cookie.partition("=")
        browser.http.cookies.set(name, value)
        return browser

    def with_session(self) -> Browser:
        """The developer of the world with both tokens of a fresh session, as signing in leaves them."""
        with self.clients.plane.write(System(REGION)) as tx:
            tokens = sessions.begin(tx, tx.session.get_one(Developer, self.world.ids["developerId"][0]), "Firefox")
        browser = self.visitor()
        browser.http.cookies.set(ACCESS_COOKIE, tokens.access, domain="testserver.local", path=self.prefix)
        path = self.prefix + REFRESH_PATH
        browser.http.cookies.set(REFRESH_COOKIE, tokens.refresh, domain="testserver.local", path=path)
        return browser

    def neighbour(self) -> Browser:
        """Another developer of the portal, who has nothing."""
        client: SignedInClient = signed_in(self.clients, self.world.ids["portalId"][0])
        return Browser(client.http, self.prefix)

    def operator(self) -> Browser:
        """The operator of the world, signed in at the pages."""
        browser = Browser(self.clients.nobody().http)
        browser.http.base_url = "http://portal.test"
        form = browser.get("/operator/sign-in").form("/operator/sign-in")
        browser.send(form, token=self.world.operator_token)
        return browser

    def forget_keys(self) -> None:
        """As a minute later: no process remembers what forms have made."""
        self.clients.nobody().http.app.state.shown_once = ShownOnce()  # type: ignore[attr-defined]

    def address(self, path: str) -> str:
        """Fill the parameters of a route's path with what there is."""

        def value(found: re.Match[str]) -> str:
            name = found[1]
            if name in PLAIN:
                return PLAIN[name]
            words = name.split("_")
            camel = words[0] + "".join(word.capitalize() for word in words[1:])
            special = {"specification": "specId", "id": "portalId"}
            known = self.world.ids.get(special.get(name, camel), ["11111111-1111-4111-8111-111111111111"])
            return quote(known[0])

        return re.sub(r"\{([a-z_]+)(?::[a-z]+)?\}", value, path)
