"""Changes of Kong's configuration, and what Kong's own plugins make of the credential."""

import uuid

import pytest

from tests.servers.process import wait_until
from tests.system.client import request
from tests.system.data_path import DataPath
from tests.system.load import Caller, Load
from tests.system.scene import REALM, kong_configuration


def test_configuration_changes_under_load_lose_no_request(data_path: DataPath) -> None:
    # Kong starts the new instance first and closes the old one afterwards (surprise 8): a server that gave both the
    # same id would lose the new one.
    def realm_is(realm: str) -> bool:
        return data_path.ask(path="/weather").one("www-authenticate") == f'Key realm="{realm}"'

    keys = data_path.scene.keys
    callers = [
        Caller("good", [request(headers=[("apikey", keys["dashboard"]), ("X-Tag", "good")])], clients=4),
        Caller("bad", [request(headers=[("apikey", keys["leaked"]), ("X-Tag", "bad")])], clients=4),
    ]
    real = data_path.gateway.real
    with Load(data_path.gateway.address, callers) as load:
        for number in range(10):
            realm = f"realm {number % 3}"  # some come back, as a configuration does that is rolled back
            data_path.gateway.apply(kong_configuration(data_path.upstream_url, real=real, realm=realm))
            wait_until(lambda realm=realm: realm_is(realm), f"{realm} is in force")  # type: ignore[misc]
            load.more("good", 20)
            load.more("bad", 20)
    data_path.gateway.apply(kong_configuration(data_path.upstream_url, real=real))
    wait_until(lambda: realm_is(REALM), "the first configuration is in force again")
    print(f"{load.count('good')} good and {load.count('bad')} bad requests through 11 configurations")
    assert load.failures("good") == {}
    assert load.failures("bad").keys() == {"401"}
    assert data_path.upstream.reached_by("bad") == {}


@pytest.mark.usefixtures("needs_kong")
def test_rate_limiting_counts_by_application(data_path: DataPath) -> None:
    # New applications, for a Kong counts on when the tests are run again.
    first, second = (f"limited-{uuid.uuid4()}" for _ in range(2))
    for name in (first, second):
        data_path.scene.add(name)
    data_path.scene.write()
    data_path.wait_for_status(200, second)
    assert [data_path.status(first, "/limited") for _ in range(5)] == [200, 200, 200, 429, 429]
    assert [data_path.status(second, "/limited") for _ in range(4)] == [200, 200, 200, 429]
    assert data_path.status("leaked", "/limited") == 401
