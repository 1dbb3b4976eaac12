"""From the portal's services to the decision at a gateway: after every step, exactly the model's keys are let in."""

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select

from kong_app_auth.domain.api_key import digest
from kong_app_auth.domain.decision import Allow, decide
from kong_app_auth.domain.freshness import Freshness
from kong_app_auth.portal.contract.credentials import RotateCredential
from kong_app_auth.portal.contract.developers import UpdateDeveloper
from kong_app_auth.portal.contract.registrations import UpdateRegistration
from kong_app_auth.portal.errors import Gone
from kong_app_auth.portal.feed import reading
from kong_app_auth.portal.feed.epoch import begin_new_epoch
from kong_app_auth.portal.services import credentials, developer_administration, registrations
from kong_app_auth.portal.store.apis import Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.registry.changes import in_batches
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents, amend, diff
from kong_app_auth.registry.feed import Cursor, decode
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.writer import Writer
from kong_app_auth.replica.follower import Follower
from kong_app_auth.replica.reader import Replica
from tests.control_plane.region import Region
from tests.control_plane.settings import REGION, Clock, control_plane
from tests.servers.portal import prepare
from tests.servers.process import wait_until
from tests.servers.redis import RedisServer


class Key(msgspec.Struct):
    """A key as the model knows it."""

    application: str
    id: str
    revoked: bool = False
    ends: datetime | None = None


class PortalToGateway(RuleBasedStateMachine):
    server: RedisServer

    @initialize()
    def start(self) -> None:
        self.server.flush()
        self.directory = Path(tempfile.mkdtemp(prefix="kaa-"))
        url = f"sqlite:///{self.directory / 'portal.db'}"
        prepare(url)
        self.clock = Clock()
        self.opened = control_plane(url, self.clock)
        self.plane = self.opened.__enter__()
        self.region = Region(self.plane)
        self.applications: dict[str, str] = {}  # to the status of its registration
        self.keys: dict[str, Key] = {}
        self.developer, self.published = "approved", True
        self.client = connect(self.server.url)
        self.writer = Writer(self.client, REGION, lease_seconds=60)
        assert self.writer.acquire()
        assert isinstance(self.writer.begin_epoch(), Position)
        assert isinstance(self.writer.complete(), Position)
        self.known, self.cursor = Contents(), ""
        self.follower = Follower(lambda: connect(self.server.url), REGION, self.directory / "replica")

    def pick(self, number: int) -> tuple[str, Key]:
        return list(self.keys.items())[number % len(self.keys)]

    def find(self, tx: Any, application_id: str) -> Application:
        found: Application = tx.session.get(Application, application_id)
        return found

    @rule(status=st.sampled_from(["approved", "pending"]))
    def register(self, status: str) -> None:
        self.applications[self.region.application(status=status, keys=0)[0]] = status

    @precondition(lambda self: self.applications)
    @rule(number=st.integers(0, 5))
    def take_a_key(self, number: int) -> None:
        application = list(self.applications)[number % len(self.applications)]
        if sum(key.application == application for key in self.keys.values()) < 20:
            with self.region.write() as tx:
                made, text = credentials.create(tx, self.find(tx, application), None)
            self.keys[text] = Key(application, made.id)

    @precondition(lambda self: self.applications)
    @rule(number=st.integers(0, 5), status=st.sampled_from(["approved", "rejected", "revoked"]))
    def decide_on_registration(self, number: int, status: Any) -> None:
        application = list(self.applications)[number % len(self.applications)]
        with self.region.write() as tx:
            found = tx.session.scalars(select(Registration.id).where(Registration.application_id == application)).one()
            registrations.update(tx, self.find(tx, application), found, UpdateRegistration(status=status))
        self.applications[application] = status

    @precondition(lambda self: self.applications)
    @rule(number=st.integers(0, 5))
    def delete_application(self, number: int) -> None:
        application = list(self.applications)[number % len(self.applications)]
        self.region.delete(Application, application)
        del self.applications[application]
        self.keys = {text: key for text, key in self.keys.items() if key.application != application}

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 9))
    def revoke(self, number: int) -> None:
        _, key = self.pick(number)
        with self.region.write() as tx:
            credentials.revoke(tx, self.find(tx, key.application), key.id)
        key.revoked = True

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 9))
    def remove(self, number: int) -> None:
        text, key = self.pick(number)
        with self.region.write() as tx:
            credentials.remove(tx, self.find(tx, key.application), key.id)
        del self.keys[text]

    @precondition(lambda self: self.keys)
    @rule(number=st.integers(0, 9), overlap=st.sampled_from([0, 60]))
    def rotate(self, number: int, overlap: int) -> None:
        _, key = self.pick(number)
        if key.revoked or (key.ends is not None and key.ends <= self.clock()):
            return
        if sum(one.application == key.application for one in self.keys.values()) >= 20:
            return
        with self.region.write() as tx:
            wanted = RotateCredential(overlap_seconds=overlap)
            made, text = credentials.rotate(tx, self.find(tx, key.application), key.id, wanted)
        end = self.clock() + timedelta(seconds=overlap)
        key.ends = end if key.ends is None else min(key.ends, end)
        self.keys[text] = Key(key.application, made.id)

    @rule(seconds=st.sampled_from([1, 30, 60]))
    def time_goes_by(self, seconds: int) -> None:
        self.clock.forward(timedelta(seconds=seconds))

    @rule()
    def revoke_or_restore_the_developer(self) -> None:
        status: Any = "revoked" if self.developer == "approved" else "approved"
        with self.region.write() as tx:
            wanted = UpdateDeveloper(status=status)
            developer_administration.update(tx, self.region.portal, self.region.developer, wanted)
        self.developer = status

    @rule()
    def accept_the_strategy_or_not(self) -> None:
        self.published = not self.published
        with self.region.write() as tx:
            found = tx.session.scalars(select(Publication)).one()
            found.auth_strategy_id = self.region.strategy if self.published else None

    @rule()
    def restore_a_backup(self) -> None:
        with self.region.write() as tx:
            begin_new_epoch(tx)

    @rule()
    def restart_the_daemon(self) -> None:
        found = self.writer.read()
        assert found is not None
        self.known, self.cursor = found[1], ""

    @invariant()
    def exactly_the_models_keys_are_let_in(self) -> None:
        if not hasattr(self, "follower"):
            return
        self.sync()
        position = self.writer.read()
        assert position is not None

        def arrived() -> bool:
            assert self.writer.heartbeat() is None
            self.follower.step(1)
            return self.follower._store.position == position[0] and self.follower._store.last_heard > 0

        wait_until(arrived, "the replica has caught up")
        self.follower.close()
        replica = Replica(self.directory / "replica")
        try:
            policy = replica.policy_of_service(self.region.service)
            assert policy is not None
            for text, key in self.keys.items():
                credential, application = replica.credential(digest(text))
                now = self.clock().timestamp()
                answer = decide(policy, credential, application, Freshness.IN_TOUCH, now)
                assert isinstance(answer, Allow) == self.allowed(key), (key, answer)
            found = replica.contents()
            assert found is not None
            assert found[1].credentials.keys() == {digest(text) for text in self.keys}
        finally:
            replica.close()

    def allowed(self, key: Key) -> bool:
        return (
            not key.revoked
            and (key.ends is None or key.ends > self.clock())
            and self.applications.get(key.application) == "approved"
            and self.developer == "approved"
            and self.published
        )

    def sync(self) -> None:
        """What the daemon does: what is new in the feed, or the whole, into the registry."""
        cursor = Cursor.parse(self.cursor)
        try:
            found = None if cursor is None else reading.changes(self.plane, REGION, cursor)
        except Gone:
            cursor = None
        if cursor is None:
            header, changes = decode(b"".join(reading.snapshot(self.plane, REGION)).splitlines(), REGION)
            wanted = Contents()
            wanted.apply(changes)
            due = diff(self.known, wanted)
            self.known = wanted
        elif found is None:
            return
        else:
            header, changes = decode(b"".join(found.pieces).splitlines(), REGION)
            news = list(changes)
            due = amend(self.known, news)
            self.known.apply(news)
        for batch in in_batches(due):
            assert isinstance(self.writer.write(batch), Position)
        self.cursor = header.cursor

    def teardown(self) -> None:
        if hasattr(self, "follower"):
            self.follower.close()
            self.client.close()
            self.opened.__exit__(None, None, None)
            shutil.rmtree(self.directory)


def test_whatever_happens_in_the_portal_the_gateway_lets_in_whom_the_model_lets_in(valkey: RedisServer) -> None:
    class Machine(PortalToGateway):
        server = valkey

    machine = Machine.TestCase
    machine.settings = settings(
        max_examples=8, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine().runTest()
