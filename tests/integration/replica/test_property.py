"""Whatever happens, in whatever order, the replica becomes what the registry is."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kong_app_auth.domain.records import RegistrationState
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Keys
from kong_app_auth.replica.follower import Follower
from kong_app_auth.replica.reader import Replica
from tests.integration.replica.conftest import Region
from tests.servers.process import wait_until
from tests.servers.samples import application, sample, uid

KEYS = Keys("eu")
BLOCK_MS = 1

names = st.sets(st.integers(1, 6), max_size=5)
states = st.sampled_from(RegistrationState)


class ReplicaMachine(RuleBasedStateMachine):
    """A writer, a Redis that loses things, and a follower that is killed; `epoch` says whether there is a registry."""

    server = None

    @initialize()
    def start(self):
        assert self.server is not None
        self.server.flush()
        self.directory = Path(tempfile.mkdtemp(prefix="kaa-"))
        self.client = connect(self.server.url)
        self.region = Region(self.client)
        self.epoch = False
        self.follower = self.new_follower()

    def new_follower(self):
        return Follower(lambda: connect(self.server.url), "eu", self.directory)

    @rule(names=names, state=states)
    def begin(self, names, state):
        self.region.begin(wanted(names, state))
        self.epoch = True

    @precondition(lambda self: self.epoch)
    @rule(names=names, state=states)
    def change(self, names, state):
        self.region.write(wanted(names, state))

    @precondition(lambda self: self.epoch)
    @rule()
    def heartbeat(self):
        self.region.heartbeat()

    @rule()
    def step(self):
        self.follower.step(BLOCK_MS)

    @rule(wipe=st.booleans())
    def crash(self, wipe):
        """A killed follower leaves its file as it is; what is copied half is as if it had never been."""
        self.follower.close()
        if wipe:
            for path in self.directory.iterdir():
                path.unlink()
        self.follower = self.new_follower()

    @precondition(lambda self: self.epoch)
    @rule(keep=st.integers(0, 2))
    def trim(self, keep):
        with self.server.client() as raw:
            raw.xtrim(KEYS.changes, maxlen=keep, approximate=False)

    @rule()
    def flush(self):
        self.server.flush()
        self.epoch = False
        self.region.contents = Contents()
        assert self.region.writer.acquire()

    @precondition(lambda self: self.epoch)
    @rule()
    def look(self):
        """In the end, and now and then: once the writer has spoken, the replica is what the registry is."""
        found = self.region.writer.read()
        assert found is not None
        assert found[1] == self.region.contents
        position = found[0]

        def arrived():
            self.region.heartbeat()
            for _ in range(4):
                self.follower.step(BLOCK_MS)
            return self.follower._store.position == position and self.follower._store.last_heard > 0

        wait_until(arrived, "the replica has caught up")
        self.follower.close()
        replica = Replica(self.directory)
        assert replica.contents() == found
        replica.close()

    @invariant()
    def nothing_half_is_in_force(self):
        """Whatever stands in the file that is in force is a whole registry: the samples always belong together."""
        if (store := getattr(self, "follower", None)) is None or store._store.position is None:
            return
        self.follower.close()
        replica = Replica(self.directory)
        found = replica.contents()
        replica.close()
        assert found is not None
        assert {record.application_id for record in found[1].credentials.values()} == set(found[1].applications)

    def teardown(self):
        if not hasattr(self, "follower"):
            return
        if self.epoch:
            self.look()
        self.follower.close()
        self.client.close()
        for path in self.directory.iterdir():
            path.unlink()
        self.directory.rmdir()


def wanted(names, state):
    contents = sample(*names)
    for name in names:
        contents.applications[uid(name)] = application(name, state)
    return contents


def test_replica_equals_registry_after_any_sequence_of_changes_crashes_and_losses(valkey):
    class Machine(ReplicaMachine):
        server = valkey

    machine = Machine.TestCase
    machine.settings = settings(
        max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine().runTest()
