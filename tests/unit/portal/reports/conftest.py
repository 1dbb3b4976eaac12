"""A portal with applications of several owners, and a daemon that brings reports."""

from collections.abc import Callable, Generator
from datetime import UTC, datetime
from typing import Any

import pytest

from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.reports.codec import encode_batch
from kong_app_auth.reports.records import Batch, Refusal, Report, Usage
from tests.control_plane.clients import Client, Clients
from tests.control_plane.developers import SignedInClient, signed_in
from tests.control_plane.settings import FEED_TOKEN, Clock, control_plane, sqlite

Unix = Callable[[str], int]


class Daemon:
    """Brings reports, one batch after the other."""

    def __init__(self, http: Client) -> None:
        self.http = http
        self.position = "0-0"
        self.number = 0

    def bring(
        self,
        *usage: Usage,
        uses: dict[str, int] | None = None,
        refusals: list[Refusal] | None = None,
        after: str | None = None,
        until: str | None = None,
        expect: int = 200,
        region: str = "eu",
    ) -> Any:
        self.number += 1
        batch = Batch(
            after=after or self.position,
            until=until or f"{self.number}-0",
            report=Report(list(usage), uses or {}, refusals or []),
        )
        path = f"/internal/v1/regions/{region}/reports"
        answer = self.http.request("POST", path, content=encode_batch(batch), expect=expect)
        if expect == 200:
            self.position = answer.json()["position"]
        return answer.json()


class Stage:
    """Ids of what there is; `dora` owns `app` and is in the team that owns `team_app`, `nick` owns `other_app`."""

    def __init__(self, clients: Clients, operator: Client) -> None:
        portal = operator.post("/v3/portals", {"name": "Staging", "default_api_visibility": "public"})
        self.portal = portal["id"]
        strategy = portal["default_application_auth_strategy_id"]
        self.api, self.api2 = (
            operator.post("/v3/apis", {"name": name, "version": version})["id"]
            for name, version in (("Weather API", "v1"), ("Maps API", "v2"))
        )
        for one in (self.api, self.api2):
            operator.put(f"/v3/apis/{one}/publications/{self.portal}", {})
        self.dora: SignedInClient = signed_in(clients, self.portal)
        self.nick: SignedInClient = signed_in(clients, self.portal)
        team = operator.post(f"/v3/portals/{self.portal}/teams", {"name": "Team", "can_own_applications": True})["id"]
        operator.post(f"/v3/portals/{self.portal}/teams/{team}/developers", {"id": self.dora.developer_id})
        self.app, self.team_app, self.other_app = (
            operator.post(
                f"/v3/portals/{self.portal}/applications",
                {"name": name, "auth_strategy_id": strategy, "owner": {"type": kind, "id": owner}},
            )["id"]
            for name, kind, owner in (
                ("App", "developer", self.dora.developer_id),
                ("Team App", "team", team),
                ("Other", "developer", self.nick.developer_id),
            )
        )
        self.dora.post(f"/api/v3/applications/{self.app}/registrations", {"api_id": self.api})
        self.credential = self.dora.post(f"/api/v3/applications/{self.app}/credentials", {"display_name": "key"})["id"]


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory, clock: Clock) -> Generator[ControlPlane]:
    """One for all tests of a module: they use times, ids and owners of their own."""
    with control_plane(sqlite(tmp_path_factory.mktemp("reports")), clock) as made:
        yield made


@pytest.fixture(scope="module")
def clients(plane: ControlPlane) -> Clients:
    return Clients(plane)


@pytest.fixture(scope="module")
def operator(clients: Clients) -> Client:
    return clients.operator()


@pytest.fixture(scope="module")
def stage(clients: Clients, operator: Client) -> Stage:
    return Stage(clients, operator)


@pytest.fixture(scope="module")
def daemon(clients: Clients) -> Daemon:
    return daemon_of(clients)


def daemon_of(clients: Clients, token: str = FEED_TOKEN) -> Daemon:
    """A daemon with a token."""
    http = clients.nobody()
    http.http.headers["authorization"] = f"Bearer {token}"
    return Daemon(http)


@pytest.fixture(scope="module")
def at() -> Unix:
    """Unix time of a text without a zone, taken for UTC."""
    return lambda text: int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
