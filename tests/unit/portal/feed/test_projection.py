"""What gateways hear: everything they need, nothing else, in few statements."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Client,
    CredentialState,
    OpenIdConnect,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
    client_key,
)
from kong_app_auth.portal.actors import System
from kong_app_auth.portal.errors import Conflict, Gone
from kong_app_auth.portal.feed import reading
from kong_app_auth.portal.feed.epoch import begin_new_epoch, position
from kong_app_auth.portal.feed.retention import prune
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store import apis, applications, credentials, developers, strategies
from kong_app_auth.portal.store.feed import FeedChange, FeedPosition
from kong_app_auth.registry.changes import Change
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.feed import Cursor, decode
from kong_app_auth.registry.keys import Table
from tests.control_plane.region import Region
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.statements import counted


@pytest.fixture
def region(plane: ControlPlane) -> Region:
    return Region(plane)


def read(pieces: reading.Pieces, region: str = REGION) -> tuple[Cursor, list[Change]]:
    header, changes = decode(b"".join(pieces).splitlines(), region)
    cursor = Cursor.parse(header.cursor)
    assert cursor is not None
    return cursor, list(changes)


def snapshot(plane: ControlPlane, region: str = REGION) -> tuple[Cursor, Contents]:
    cursor, changes = read(reading.snapshot(plane, region), region)
    contents = Contents()
    contents.apply(changes)
    return cursor, contents


class Daemon:
    """Follows the feed from a first snapshot."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.cursor, self.contents = snapshot(plane)

    def news(self) -> list[Change]:
        found = reading.changes(self.plane, REGION, self.cursor)
        if found is None:
            return []
        self.cursor, changes = read(found.pieces)
        self.contents.apply(changes)
        assert (self.cursor, self.contents) == snapshot(self.plane)
        return changes

    def keys(self) -> list[tuple[Table, Any]]:
        return [(change.table, change.id) for change in self.news()]


def test_a_snapshot_has_everything_of_its_region_and_nothing_of_another(plane: ControlPlane, region: Region) -> None:
    application, (key,) = region.application()
    elsewhere = Region(plane, "us")
    elsewhere.application()
    _, contents = snapshot(plane)
    assert contents.apis == {
        region.api: Api(region.api, f"Weather {region.portal[:8]}", "v1", (Acceptance(region.portal, region.strategy),))
    }
    assert contents.services == {region.service: Service(region.service, region.api)}
    assert contents.strategies == {
        region.strategy: Strategy(
            region.strategy, f"keys {region.portal[:8]}", StrategyType.KEY_AUTH, ("apikey", "x-key")
        )
    }
    assert contents.applications == {
        application: Application(
            application,
            region.portal,
            region.strategy,
            region.developer,
            False,
            {region.api: RegistrationState.APPROVED},
        )
    }
    assert contents.credentials.keys() == {bytes.fromhex(key)}


def test_nothing_personal_is_in_it(plane: ControlPlane, region: Region) -> None:
    region.application()
    text = b"".join(reading.snapshot(plane, REGION)).decode()
    assert "example.com" not in text
    assert "Dora" not in text


def test_each_kind_of_change_is_heard_once_and_leads_to_the_snapshot(plane: ControlPlane, region: Region) -> None:
    application, (key,) = region.application()
    daemon = Daemon(plane)
    digest = bytes.fromhex(key)
    with plane.read(System(REGION)) as tx:
        credential = tx.session.scalars(select(credentials.Credential.id)).one()
        registration = tx.session.scalars(select(applications.Registration.id)).one()
        publication = tx.session.scalars(select(apis.Publication.id)).one()
        implementation = tx.session.scalars(select(apis.Implementation.id)).one()
    assert daemon.keys() == []

    region.change(credentials.Credential, credential, status="revoked")
    assert daemon.keys() == [(Table.CREDENTIALS, digest)]
    assert daemon.contents.credentials[digest].state is CredentialState.REVOKED
    region.change(credentials.Credential, credential, expires_at=plane.clock())
    assert daemon.keys() == [(Table.CREDENTIALS, digest)]
    region.change(credentials.Credential, credential, digest="cd" * 32)
    assert set(daemon.keys()) == {(Table.CREDENTIALS, digest), (Table.CREDENTIALS, bytes.fromhex("cd" * 32))}
    region.change(applications.Registration, registration, status="rejected")
    assert daemon.keys() == [(Table.APPLICATIONS, application)]
    consumer = {"id": region.api, "control_plane_id": region.api}
    region.change(applications.Registration, registration, consumer=consumer)
    assert daemon.keys() == [(Table.APPLICATIONS, application)]
    assert daemon.contents.applications[application].consumers == {region.api: region.api}
    region.change(developers.Developer, region.developer, status="revoked")
    assert daemon.keys() == [(Table.APPLICATIONS, application)]
    assert daemon.contents.applications[application].developer_revoked
    region.change(strategies.AuthStrategy, region.strategy, config={"key_names": ["other"]})
    assert daemon.keys() == [(Table.STRATEGIES, region.strategy)]
    region.change(apis.Publication, publication, auth_strategy_id=None)
    assert daemon.keys() == [(Table.APIS, region.api)]
    other = "11111111-7425-40de-944b-e07fc1f90ae7"
    region.change(apis.Implementation, implementation, service_id=other)
    assert set(daemon.keys()) == {(Table.SERVICES, region.service), (Table.SERVICES, other)}
    region.delete(apis.Implementation, implementation)
    assert daemon.keys() == [(Table.SERVICES, other)]
    region.delete(apis.Publication, publication)
    assert daemon.keys() == [(Table.APIS, region.api)]
    region.delete(applications.Application, application)
    assert set(daemon.keys()) == {(Table.APPLICATIONS, application), (Table.CREDENTIALS, bytes.fromhex("cd" * 32))}


def test_what_means_nothing_to_gateways_is_not_in_the_feed(plane: ControlPlane, region: Region) -> None:
    application, _ = region.application()
    daemon = Daemon(plane)
    region.change(applications.Application, application, name="Another name", description="…")
    region.change(apis.Api, region.api, description="New words")
    region.change(developers.Developer, region.developer, full_name="Another")
    with plane.read(System(REGION)) as tx:
        credential = tx.session.scalars(select(credentials.Credential.id)).one()
    region.change(credentials.Credential, credential, warned_at=plane.clock(), display_name="x")
    assert daemon.cursor == snapshot(plane)[0]


def test_a_transaction_that_is_undone_is_not_in_the_feed(plane: ControlPlane, region: Region) -> None:
    region.application()
    daemon = Daemon(plane)
    with pytest.raises(Conflict), region.write() as tx:  # noqa: PT012  undone is what the block did
        for record in tx.session.scalars(select(credentials.Credential)):
            record.status = "revoked"
        tx.session.flush()
        raise Conflict
    assert daemon.news() == []


def test_a_developer_with_many_applications_takes_as_many_statements_as_one_with_few(
    plane: ControlPlane, region: Region
) -> None:
    region.application()
    with counted(plane) as few:
        region.change(developers.Developer, region.developer, status="revoked")
    for _ in range(30):
        region.application()
    with counted(plane) as many:
        region.change(developers.Developer, region.developer, status="approved")
    assert len(many) == len(few)
    # The developer; their applications' ids, those applications, the position; three writes and the audit log's.
    assert len(few) <= 9


def test_an_answer_ends_with_a_transaction_however_many_changes_it_has(
    plane: ControlPlane, region: Region, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = Daemon(plane)
    sizes = [1, 4, 2, 1]
    for keys in sizes:
        region.application(keys=keys)
    monkeypatch.setattr(reading, "MANY", 3)
    heard = []
    while (found := reading.changes(plane, REGION, daemon.cursor)) is not None:
        cursor, changes = read(found.pieces)
        assert cursor.seq > daemon.cursor.seq
        daemon.cursor = cursor
        heard.append(len(changes))
    # Each application comes with its keys.
    assert heard == [2 + 5, 3, 2]


@pytest.mark.parametrize("seq", [-1, 1000])
def test_a_cursor_that_is_too_old_or_from_the_future_is_gone(
    plane: ControlPlane, region: Region, clock: Clock, seq: int
) -> None:
    clock.forward(timedelta(days=30))
    prune(plane)
    cursor, _ = snapshot(plane)
    with pytest.raises(Gone):
        reading.changes(plane, REGION, Cursor(cursor.epoch, max(0, cursor.seq + seq)))


def test_pruning_lets_old_changes_go_and_keeps_the_rest(plane: ControlPlane, region: Region, clock: Clock) -> None:
    daemon = Daemon(plane)
    region.application(keys=2)
    late = Daemon(plane)
    with plane.read(System(REGION)) as tx:
        old = len(tx.session.scalars(select(FeedChange.seq)).all())
    clock.forward(plane.configuration.feed_retention + timedelta(seconds=1))
    region.application()
    assert prune(plane) == old
    with pytest.raises(Gone):
        reading.changes(plane, REGION, daemon.cursor)
    assert len(late.news()) == 2
    assert prune(plane) == 0


def test_pruning_takes_several_transactions_where_there_is_much(
    plane: ControlPlane, region: Region, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kong_app_auth.portal.feed import retention

    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        region.application()
    with plane.read(System(REGION)) as tx:
        before = len(tx.session.scalars(select(FeedChange.seq)).all())
    clock.forward(timedelta(days=30))
    assert prune(plane) == before
    cursor, _ = snapshot(plane)
    assert reading.changes(plane, REGION, cursor) is None


def test_a_new_epoch_makes_every_cursor_old(plane: ControlPlane, region: Region) -> None:
    daemon = Daemon(plane)
    region.application()
    with region.write() as tx:
        epoch = begin_new_epoch(tx)
    for cursor in (daemon.cursor, Cursor(daemon.cursor.epoch, daemon.cursor.seq + 1)):
        with pytest.raises(Gone):
            reading.changes(plane, REGION, cursor)
    fresh = Daemon(plane)
    assert fresh.cursor.epoch == epoch
    region.application()
    assert len(fresh.news()) == 2


def test_lines_of_another_version_are_never_sent(plane: ControlPlane, region: Region) -> None:
    daemon = Daemon(plane)
    with region.write() as tx:
        tx.session.get(FeedPosition, REGION).version += 1
    with pytest.raises(Gone):
        reading.changes(plane, REGION, daemon.cursor)
    assert snapshot(plane)[0].epoch != daemon.cursor.epoch
    with region.write() as tx:
        assert position(tx).epoch == snapshot(plane)[0].epoch


class TestOAuthClients:
    """Of an application with an OpenID Connect strategy gateways know its client, by the strategy and the client id."""

    ISSUER = "https://idp.example"

    @pytest.fixture
    def strategy(self, region: Region) -> str:
        strategy = strategies.AuthStrategy(
            region=REGION,
            name="idp",
            display_name="IdP",
            strategy_type="openid_connect",
            config={"issuer": self.ISSUER, "credential_claim": ["azp"], "scopes": [], "auth_methods": ["bearer"]},
        )
        region.add(strategy)
        return strategy.id

    def application(self, region: Region, strategy: str, client_id: str | None) -> applications.Application:
        made = applications.Application(
            portal_id=region.portal,
            name=f"App {client_id}",
            auth_strategy_id=strategy,
            developer_id=region.developer,
            client_id=client_id,
        )
        region.add(made)
        return made

    def change(self, region: Region, application_id: str, client_id: str | None) -> None:
        with region.write() as tx:
            tx.session.get_one(applications.Application, application_id).client_id = client_id

    def test_strategy_and_client_are_told(self, plane: ControlPlane, region: Region, strategy: str) -> None:
        daemon = Daemon(plane)
        made = self.application(region, strategy, "client-1")
        told = daemon.keys()
        assert (Table.CLIENTS, client_key(strategy, "client-1")) in told
        client = Client(client_key(strategy, "client-1"), made.id, made.id)
        assert daemon.contents.clients == {client.id: client}
        assert daemon.contents.strategies[strategy].openid_connect == OpenIdConnect(self.ISSUER, ("azp",), ("bearer",))

    def test_another_client_id_takes_the_place_of_the_old(
        self, plane: ControlPlane, region: Region, strategy: str
    ) -> None:
        made = self.application(region, strategy, "client-1")
        daemon = Daemon(plane)
        self.change(region, made.id, "client-2")
        daemon.news()
        assert set(daemon.contents.clients) == {client_key(strategy, "client-2")}
        with region.write() as tx:
            tx.session.delete(tx.session.get_one(applications.Application, made.id))
        daemon.news()
        assert daemon.contents.clients == {}

    def test_the_name_of_an_application_with_keys_in_another_system_is_no_client(
        self, plane: ControlPlane, region: Region
    ) -> None:
        self.application(region, region.strategy, "crm-17")
        assert snapshot(plane)[1].clients == {}

    def test_what_cannot_be_a_client_id_or_a_setting_harms_nobody_else(
        self, plane: ControlPlane, region: Region, strategy: str
    ) -> None:
        daemon = Daemon(plane)
        odd = self.application(region, strategy, "caf\u00e9")
        good = self.application(region, strategy, "client-1")
        with region.write() as tx:
            tx.session.get_one(strategies.AuthStrategy, strategy).config = {"issuer": 1}
        daemon.news()
        assert set(daemon.contents.clients) == {client_key(strategy, "client-1")}
        assert {odd.id, good.id} <= set(daemon.contents.applications)
        assert daemon.contents.strategies[strategy].openid_connect is None
