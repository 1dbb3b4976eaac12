"""Kongs without a database: the operator's file and our plugins, posted to each node."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from kong_app_auth.domain.kong_ids import deterministic_id
from kong_app_auth.sync.kong import nodes as nodes_module
from kong_app_auth.sync.kong.admin_api import Access, AdminApi
from kong_app_auth.sync.kong.db_less import DbLessKong
from kong_app_auth.sync.kong.entities import APP_AUTH, TERMINATION, plugin_id
from kong_app_auth.sync.kong.failures import Code, KongFailed
from kong_app_auth.sync.kong.gateways import Gateway, Mode
from kong_app_auth.sync.kong.keeping import keeping
from kong_app_auth.sync.kong.nodes import Nodes as AdminApis
from kong_app_auth.sync.kong.nodes import addresses
from kong_app_auth.sync.kong.outcome import Outcome, State
from kong_app_auth.sync.kong.plan import OnUnlink, Policy
from kong_app_auth.sync.kong.wanted import Wanted
from tests.servers.faulty_admin import FaultyAdmin, faulty_admin
from tests.servers.managed_kong import REGION, ManagedKong, managed_kong, wanted
from tests.servers.process import PATIENCE

WEATHER, MAPS = (deterministic_id("services", name) for name in ("weather", "maps"))
THEIRS = """\
_format_version: "3.0"  # the operator's
services:
- name: weather
  url: http://127.0.0.1:1
  routes: [{name: weather, paths: [/weather]}]
- {name: maps, url: "http://127.0.0.1:1", routes: [{name: maps, paths: [/maps]}]}
"""


def on(*ids: str) -> Wanted:
    return Wanted(frozenset(ids), frozenset(ids))


class Nodes:
    """Two nodes, each behind a server that can be made to fail, and the operator's file."""

    def __init__(self, kongs: list[ManagedKong], fronts: list[FaultyAdmin], file: Path) -> None:
        self.kongs = kongs
        self.fronts = fronts
        self.file = file
        self.apis = [AdminApi(Access(url=front.url)) for front in fronts]

    def keeper(self, on_unlink: OnUnlink = OnUnlink.OPEN, **config: Any) -> DbLessKong:
        return DbLessKong(lambda: self.apis, Policy(REGION, config, on_unlink), self.file)

    def carried(self, name: str = APP_AUTH) -> list[set[str]]:
        return [set(kong.carried(name)) for kong in self.kongs]

    def posted(self) -> list[int]:
        return [front.asked("POST", "/config") for front in self.fronts]

    def calls(self) -> list[int]:
        return [len(front.requests) for front in self.fronts]


@pytest.fixture(scope="module")
def two_kongs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[ManagedKong]]:
    directory = tmp_path_factory.mktemp("nodes")
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(managed_kong(directory, database="off"))[1] for _ in range(2)]


@pytest.fixture
def nodes(two_kongs: list[ManagedKong], tmp_path: Path) -> Iterator[Nodes]:
    file = tmp_path / "kong.yml"
    file.write_text(THEIRS)
    with contextlib.ExitStack() as stack:
        for kong in two_kongs:
            kong("POST", "/config", json={"_format_version": "3.0"})
        nodes = Nodes(two_kongs, [stack.enter_context(faulty_admin(kong.admin_url)) for kong in two_kongs], file)
        for api in nodes.apis:
            stack.callback(api.close)
        yield nodes


def test_every_node_gets_the_operators_configuration_with_ours(nodes: Nodes) -> None:
    keeper = nodes.keeper()
    found = keeper.bring(on(WEATHER))
    assert (found.changed, found.failure, found.services) == (2, None, {WEATHER: Outcome(State.ENFORCED)})
    assert nodes.carried() == [{WEATHER}, {WEATHER}]
    before = nodes.calls()
    assert keeper.bring(on(WEATHER)).changed == 0
    assert [after - one for after, one in zip(nodes.calls(), before, strict=True)] == [1, 1]
    # A daemon that was started anew posts nothing either.
    assert nodes.keeper().bring(on(WEATHER)).changed == 0
    assert keeper.bring(on(MAPS)).changed == 2
    assert nodes.carried() == [{MAPS}, {MAPS}]


def test_what_was_posted_by_hand_and_a_node_that_was_started_anew_are_put_back(nodes: Nodes) -> None:
    keeper = nodes.keeper()
    keeper.bring(on(WEATHER))
    nodes.kongs[1]("POST", "/config", json={"config": THEIRS})
    found = keeper.bring(on(WEATHER))
    assert (found.changed, len(found.put_back)) == (1, 1)
    assert nodes.carried() == [{WEATHER}, {WEATHER}]


def test_the_operators_file_is_followed(nodes: Nodes) -> None:
    keeper = nodes.keeper()
    keeper.bring(on(WEATHER))
    nodes.file.write_text(THEIRS + "consumers: [{username: somebody}]\n")
    found = keeper.bring(on(WEATHER))
    assert (found.changed, found.put_back) == (2, ())
    assert [len(kong("GET", "/consumers")["data"]) for kong in nodes.kongs] == [1, 1]
    text = keeper.target(on(WEATHER)).text
    assert nodes.kongs[0]("GET", "/status")["configuration_hash"] == hashlib.md5(text.encode()).hexdigest()


@pytest.mark.parametrize("bad", ["services: [", "plugins: null\n" + THEIRS, ""])
def test_a_file_that_cannot_be_completed_is_never_posted(nodes: Nodes, bad: str) -> None:
    keeper = nodes.keeper()
    keeper.bring(on(WEATHER))
    posted = nodes.posted()
    nodes.file.write_text(bad)
    found = keeper.bring(on(MAPS))
    assert found.failure is not None
    assert found.failure.code is Code.DATA_CONSTRAINT_ERROR
    assert (found.services, nodes.posted()) == ({MAPS: Outcome(State.PENDING)}, posted)
    nodes.file.unlink()
    assert keeper.bring(on(WEATHER)).failure is not None
    nodes.file.write_text(THEIRS)
    assert keeper.bring(on(MAPS)).failure is None
    assert nodes.carried() == [{MAPS}, {MAPS}]


def test_a_configuration_that_kong_refuses_leaves_the_old_one_in_force(nodes: Nodes) -> None:
    nodes.keeper().bring(on(WEATHER))
    found = nodes.keeper(no_such_field="secret").bring(on(WEATHER, MAPS))
    assert found.failure is not None
    assert found.failure.code is Code.BAD_REQUEST
    assert "config.no_such_field" in found.failure.message
    assert "secret" not in found.failure.message
    assert nodes.carried() == [{WEATHER}, {WEATHER}]


def test_a_node_that_is_down_does_not_hold_up_the_other(nodes: Nodes) -> None:
    keeper = nodes.keeper()
    nodes.fronts[0].fault = lambda _method, _path: (503, b"{}")
    found = keeper.bring(on(WEATHER))
    assert found.failure is not None
    assert (found.failure.code, found.changed) == (Code.UNAVAILABLE, 1)
    assert nodes.carried() == [set(), {WEATHER}]
    nodes.fronts[0].fault = lambda _method, _path: None
    assert keeper.bring(on(WEATHER)).services == {WEATHER: Outcome(State.ENFORCED)}
    assert nodes.carried() == [{WEATHER}, {WEATHER}]


def test_the_operators_own_plugin_is_a_conflict_and_no_other_is_hurt(nodes: Nodes) -> None:
    theirs = "plugins:\n- {name: app-auth, service: weather, config: {region: us}}\n"
    nodes.file.write_text(THEIRS + theirs)
    found = nodes.keeper().bring(on(WEATHER, MAPS))
    assert found.failure is None
    conflict = found.services[WEATHER].failure
    assert conflict is not None
    assert conflict.code is Code.PLUGIN_CONFLICT
    assert found.services[MAPS] == Outcome(State.ENFORCED)
    assert nodes.kongs[0].carried()[WEATHER]["config"]["region"] == "us"


def test_services_that_are_not_in_the_file_wait(nodes: Nodes) -> None:
    elsewhere = next(iter(wanted(0).enforced))
    found = nodes.keeper().bring(on(WEATHER, elsewhere))
    assert found.services == {WEATHER: Outcome(State.ENFORCED), elsewhere: Outcome(State.ABSENT)}


def test_blocked_services_stay_so_over_restarts_of_daemon_or_nodes(nodes: Nodes) -> None:
    keeper = nodes.keeper(OnUnlink.BLOCK)
    keeper.bring(on(WEATHER, MAPS))
    assert keeper.bring(on(MAPS)).services[WEATHER] == Outcome(State.BLOCKED)
    assert (nodes.carried(), nodes.carried(TERMINATION)) == ([{MAPS}, {MAPS}], [{WEATHER}, {WEATHER}])
    again = nodes.keeper(OnUnlink.BLOCK)
    assert again.bring(on(MAPS)).changed == 0
    for kong in nodes.kongs:
        kong("POST", "/config", json={"config": THEIRS})
    again.bring(on(MAPS))
    assert nodes.carried(TERMINATION) == [{WEATHER}, {WEATHER}]
    again.bring(on(WEATHER, MAPS))
    assert (nodes.carried(), nodes.carried(TERMINATION)) == ([{WEATHER, MAPS}] * 2, [set(), set()])


def test_what_is_blocked_answers_503(nodes: Nodes, tmp_path: Path) -> None:
    with managed_kong(tmp_path, database="off") as (gateway, kong):
        keeper = DbLessKong(lambda: [kong.api], Policy(REGION, {}, OnUnlink.BLOCK), nodes.file)
        keeper.bring(on(WEATHER))
        keeper.bring(on())
        answer = requests.get(f"{gateway.proxy_url}/weather", timeout=PATIENCE)
        assert (answer.status_code, answer.json()["message"]) == (503, "Service temporarily unavailable")


def test_what_would_be_done_is_shown_first(nodes: Nodes) -> None:
    keeper = nodes.keeper()
    previews = keeper.preview(on(WEATHER))
    assert [preview.changes for preview in previews] == [True, True]
    lines = list(previews[0].lines())
    assert f"enforce {WEATHER}: add app-auth" in lines
    assert "post the configuration" in lines
    assert any(line.startswith("+id: " + plugin_id(REGION, WEATHER, APP_AUTH)) for line in previews[0].diff())
    assert nodes.posted() == [0, 0]
    keeper.bring(on(WEATHER))
    assert [list(preview.lines()) for preview in keeper.preview(on(WEATHER))] == [[], []]


def test_all_nodes_that_a_name_stands_for_get_it(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (front.url.removeprefix("http://") for front in nodes.fronts)
    now = {first}
    monkeypatch.setattr(
        nodes_module, "addresses", lambda _url: {f"http://{one}": "kong-admin.internal" for one in sorted(now)}
    )
    found = Gateway(
        name="pods",
        mode=Mode.DB_LESS,
        admin_url="http://kong-admin.internal",
        resolve=True,
        declarative_file=nodes.file,
    )
    admin_apis = AdminApis(found)
    keeper = keeping(found, REGION, admin_apis)
    assert keeper.bring(on(WEATHER), lambda: True).changed == 1
    now.add(second)
    assert keeper.bring(on(WEATHER), lambda: True).changed == 1
    assert nodes.carried() == [{WEATHER}, {WEATHER}]
    assert nodes.fronts[1].requests[0][2]["Host"] == "kong-admin.internal"
    now.discard(first)
    assert keeper.bring(on(MAPS), lambda: True).changed == 1
    assert nodes.carried() == [{WEATHER}, {MAPS}]
    # A node that comes back has what it had: it is brought in order, and nobody is said to have changed it.
    now.add(first)
    passed = keeper.bring(on(MAPS), lambda: True)
    assert (passed.changed, passed.put_back) == (1, ())
    assert nodes.carried() == [{MAPS}, {MAPS}]
    admin_apis.close()


def test_a_name_and_its_addresses() -> None:
    assert addresses("http://127.0.0.1:8001/kong") == {"http://127.0.0.1:8001/kong": "127.0.0.1"}
    assert "https://127.0.0.1:443" in addresses("https://localhost")
    with pytest.raises(KongFailed, match="stands for no address"):
        addresses("http://nowhere.invalid")
