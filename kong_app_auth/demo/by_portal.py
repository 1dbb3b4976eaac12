"""The demo with a portal: an operator sets it up over Konnect's API, and a developer gets as far as a first key."""

import re
import secrets
import time
from pathlib import Path
from typing import Any, Final

import requests
from rich.console import Console
from rich.markup import escape

from kong_app_auth.demo.processes import DemoError, Processes, free_port, output_of_own
from kong_app_auth.demo.providers import NAMES, Provider, start_providers
from kong_app_auth.demo.scene import MAPS, REGION, WEATHER, Keys
from kong_app_auth.domain.api_key import mint

CONTROL_PLANE: Final = "0f0e0d0c-0b0a-4908-8706-050403020100"
"""Konnect's name for the Kong cluster that a Gateway Service is in. There is one here, so any UUID will do."""
EMAIL: Final = "alice@example.com"
IDENTITY_PROVIDERS_HERE: Final = {"idp_allow_private": "true", "idp_allow_http_loopback": "true"}
"""Settings of the portal and the daemon: providers on this machine, by http. For trying out only."""
_UUID: Final = re.compile(r"([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MAIL: Final = re.compile(r'href="(mailbox/[0-9a-f-]{36})"')
_TOKEN: Final = re.compile(r"token=([0-9a-f-]{36})")
_TIMEOUT: Final = 10.0


class ByPortal:
    """A registry that comes from a portal on SQLite. `tell` is the story of how the keys came to be."""

    flow = "portal ─► sync daemon ─► Valkey ─► follower ─► replica ◄─ two workers"
    revoked_by = "revoked by an operator over the API"

    def __init__(self, console: Console, directory: Path, processes: Processes, gateway_port: int) -> None:
        self.keys = Keys("", "", "", "", "")
        self._console = console
        self.token: str | None = None
        self._providers: dict[str, Provider] = {}
        found = start_providers(directory, processes)
        if isinstance(found, str):
            console.print(f"  [yellow]no tokens in this demo: {escape(found)}[/yellow]")
        else:
            self._providers = found
        port = free_port(8080)
        self._url = f"http://127.0.0.1:{port}"
        self._feed_token = secrets.token_urlsafe(32)
        settings = {"database_url": f"sqlite:///{directory / 'portal.db'}", "public_url": self._url}
        processes.start_own(
            "portal",
            "portal",
            portal_listen=f"127.0.0.1:{port}",
            portal_regions=REGION,
            feed_tokens=f"{REGION}={self._feed_token}",
            gateway_urls=f"{REGION}=http://127.0.0.1:{gateway_port}",
            mailbox="true",
            **IDENTITY_PROVIDERS_HERE,
            **settings,
        )
        processes.wait_for("the portal to answer", self._answers)
        token = output_of_own("token", "create", "--name", "demo", "--expires-in", "1d", region=REGION, **settings)
        self._operator = requests.Session()
        self._operator.headers["Authorization"] = f"Bearer {token}"
        self._operator_token = token
        self._developer = requests.Session()
        self._portal: dict[str, Any] = {}
        self._production: dict[str, Any] = {}
        self._address = ""
        self._retiring = ""

    @property
    def sync_settings(self) -> dict[str, str]:
        """How the sync daemon finds the portal."""
        return {"portal_url": self._url, "feed_token": self._feed_token, **IDENTITY_PROVIDERS_HERE}

    def tell(self) -> None:
        """Set everything up as the documentation's worked example has it, and take the keys of the tour."""
        self._chapter("An operator sets up two portals, three APIs and four strategies")
        weather, weather_2, by_client = self._set_up()
        self._chapter("A developer signs up, and is approved")
        self._sign_up(self._portal)
        self._chapter("The developer registers an application, and takes a key")
        dashboard, registration = self._application("dashboard", weather)
        self._approve(dashboard, registration)
        key = self._key(dashboard)[1]
        newcomer = self._key(self._application("newcomer", weather)[0])[1]
        planner = self._key(self._application("route-planner", None)[0])[1]
        retiring, registration = self._application("retiring", weather)
        self._approve(retiring, registration)
        credential, retiring_key = self._key(retiring)
        self._retiring = f"/v3/portals/{self._portal['id']}/applications/{retiring}/credentials/{credential}"
        self.keys = Keys(key, newcomer, planner, retiring_key, elsewhere=mint("us"))
        if self._providers:
            self._chapter("The portal makes an OAuth client at the identity provider, for a developer of Production")
            self._take_a_token(weather_2, by_client)

    def _take_a_token(self, api: str, strategy: str) -> None:
        self._sign_up(self._production)
        made = self._developer_does("POST", "/applications", {"name": "forecast", "auth_strategy_id": strategy})
        registration = self._developer_does("POST", f"/applications/{made['id']}/registrations", {"api_id": api})
        self._approve(made["id"], registration["id"])
        self.token = self._providers["okta"].token(made["client_id"], made["client_secret"])

    def revoke(self) -> None:
        """Revoke the key that retires."""
        self._call(self._operator, "DELETE", self._retiring)

    def hints(self) -> list[str]:
        """What to try next."""
        return [
            f"curl -s -H 'Authorization: Bearer {self._operator_token}' {self._url}/v3/portals",
            f"{self._url}/mailbox      (the mails of this portal)",
        ]

    def _set_up(self) -> tuple[str, str, str]:
        """Make the worked example; gives the ids of Weather API v1 and v2, and of the strategy with DCR."""
        staging, production = (self._operator_makes("/v3/portals", name=name) for name in ("Staging", "Production"))
        self._portal, self._production = staging, production
        okta, auth0 = ({"issuer": self._issuer(name), "scopes": ["weather.read"]} for name in NAMES)
        dcr: dict[str, Any] = {"provider_type": "okta", "dcr_config": {"dcr_token": secrets.token_urlsafe(24)}}
        if self._providers:
            config = {"initial_access_token": self._providers["okta"].initial_access_token}
            dcr = {"provider_type": "rfc7591", "dcr_config": config}
        provider = self._operator_makes("/v2/dcr-providers", name="okta", issuer=okta["issuer"], **dcr)
        strategies = {
            name: self._operator_makes(
                "/v2/application-auth-strategies",
                name=name,
                display_name=name,
                strategy_type="openid_connect",
                configs={
                    "openid-connect": {
                        **config,
                        "credential_claim": ["azp", "client_id"],
                        "auth_methods": ["bearer"],
                    }
                },
                **more,
            )["id"]
            for name, config, more in (
                ("okta-oidc", okta, {}),
                ("okta-dcr", okta, {"dcr_provider_id": provider["id"]}),
                ("auth0-oidc", auth0, {}),
            )
        }
        weather_1, weather_2, maps = (
            self._operator_makes("/v3/apis", name=name, version=version)["id"]
            for name, version in (("Weather API", "v1"), ("Weather API", "v2"), ("Maps API", "v2"))
        )
        key_auth = staging["default_application_auth_strategy_id"]
        for api, portal, strategy in (
            (weather_2, staging, strategies["okta-oidc"]),
            (maps, staging, strategies["okta-oidc"]),
            (weather_1, staging, key_auth),
            (weather_2, production, strategies["okta-dcr"]),
            (maps, production, strategies["auth0-oidc"]),
        ):
            body = {"auth_strategy_ids": [strategy], "visibility": "public"}
            self._call(self._operator, "PUT", f"/v3/apis/{api}/publications/{portal['id']}", body)
        for api, service in ((weather_1, WEATHER), (weather_2, MAPS)):
            link = {"control_plane_id": CONTROL_PLANE, "id": service}
            self._operator_makes(f"/v3/apis/{api}/implementations", service=link)
        return str(weather_1), str(weather_2), str(strategies["okta-dcr"])

    def _issuer(self, name: str) -> str:
        return self._providers[name].issuer if self._providers else f"https://{name}.example.com"

    def _sign_up(self, portal: dict[str, Any]) -> None:
        self._portal = portal
        self._address = f"/p/{portal['default_domain'].partition('.')[0]}"
        self._developer = requests.Session()
        password = secrets.token_urlsafe(16)
        self._developer_does("POST", "/developer", {"email": EMAIL, "full_name": "Alice Example"})
        confirmed = self._developer_does("POST", "/developer/verify-email", {"token": self._mailed_token()})
        self._developer_does("POST", "/developer/reset-password", {"token": confirmed["token"], "password": password})
        credentials = {"username": EMAIL, "password": password}
        self._developer_does("POST", "/developer/authenticate", credentials, but=401)
        developers = f"/v3/portals/{self._portal['id']}/developers"
        waiting = self._call(self._operator, "GET", developers + "?filter[status]=pending")["data"]
        self._call(self._operator, "PATCH", f"{developers}/{waiting[0]['id']}", {"status": "approved"})
        self._developer_does("POST", "/developer/authenticate", credentials)

    def _mailed_token(self) -> str:
        """Read the link in the newest mail, as the developer would."""
        deadline = time.monotonic() + _TIMEOUT
        while time.monotonic() < deadline:
            page = requests.get(f"{self._url}/mailbox", timeout=_TIMEOUT).text
            for mail in _MAIL.findall(page):
                text = requests.get(f"{self._url}/{mail}/text", timeout=_TIMEOUT).text
                if found := _TOKEN.search(text):
                    return found[1]
            time.sleep(0.05)
        raise DemoError("no mail came to confirm the address")

    def _application(self, name: str, api: str | None) -> tuple[str, str]:
        """Make an application, registered with `api` unless that is None; gives both ids."""
        strategy = self._portal["default_application_auth_strategy_id"]
        application = self._developer_does("POST", "/applications", {"name": name, "auth_strategy_id": strategy})["id"]
        if api is None:
            return application, ""
        registration = self._developer_does("POST", f"/applications/{application}/registrations", {"api_id": api})
        return application, registration["id"]

    def _approve(self, application: str, registration: str) -> None:
        path = f"/v3/portals/{self._portal['id']}/applications/{application}/registrations/{registration}"
        self._call(self._operator, "PATCH", path, {"status": "approved"})

    def _key(self, application: str) -> tuple[str, str]:
        """Take a key; gives its id and the key, which is shown only now."""
        made = self._developer_does("POST", f"/applications/{application}/credentials", {"display_name": "first"})
        return made["id"], made["credential"]

    def _operator_makes(self, path: str, **body: Any) -> Any:
        return self._call(self._operator, "POST", path, body)

    def _developer_does(self, method: str, path: str, body: Any = None, *, but: int | None = None) -> Any:
        return self._call(self._developer, method, f"{self._address}/api/v3{path}", body, but=but)

    def _call(
        self,
        who: requests.Session,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        but: int | None = None,
    ) -> Any:
        """Call the API and print the call; what is neither a success nor the status `but` ends the demo."""
        answer = who.request(method, self._url + path, json=body, timeout=_TIMEOUT)
        role = "operator " if who is self._operator else "developer"
        said: dict[str, Any] = body or {}
        name = str(said.get("name") or said.get("status") or "")
        shown = escape(_UUID.sub(r"\1…", path))
        self._console.print(
            f"     {role} {method:6} {shown}  [green]{answer.status_code}[/green]  [dim]{escape(name)}[/dim]"
        )
        if not answer.ok and answer.status_code != but:
            raise DemoError(f"{method} {path} was answered with {answer.status_code}: {answer.text[:500]}")
        return answer.json() if answer.content else None

    def _chapter(self, title: str) -> None:
        self._console.print(f"\n[bold]{title}[/bold]")

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self._url}/v3/portals", timeout=_TIMEOUT).status_code == 401
        except requests.RequestException:
            time.sleep(0.01)
            return False
