"""Promise 3: what is revoked is refused, soon."""

import statistics
import time

import pytest

from tests.system.data_path import DataPath
from tests.system.load import Load
from tests.system.traffic import ALLOWED, allowed


def test_every_revocation_is_in_force_soon(data_path: DataPath, pytestconfig: pytest.Config) -> None:
    number = int(pytestconfig.option.revocations)
    names = [f"revoked-{index}" for index in range(number)]
    for name in names:
        data_path.scene.add(name)
    data_path.scene.write()
    data_path.wait_for_status(200, names[-1])
    took: list[float] = []
    with Load(data_path.gateway.address, [allowed(data_path, 2)]) as load:
        for name in names:
            assert data_path.status(name) == 200
            data_path.scene.revoke(name)
            began = time.monotonic()
            data_path.scene.write()
            data_path.wait_for_status(401, name)
            took.append(time.monotonic() - began)
    print(f"{number} revocations: median {statistics.median(took) * 1000:.0f} ms, most {max(took) * 1000:.0f} ms")
    assert load.failures(ALLOWED) == {}
    assert [data_path.status(name) for name in names] == [401] * number


@pytest.mark.parametrize("state", ["pending", "rejected", "revoked"])
def test_registration_that_is_no_longer_approved_is_refused(data_path: DataPath, state: str) -> None:
    registration = data_path.scene.applications["dashboard"]["registrations"][0]
    registration["status"] = state
    data_path.scene.write()
    data_path.wait_for_status(403, "dashboard")
    registration["status"] = "approved"
    data_path.scene.write()
    data_path.wait_for_status(200, "dashboard")


def test_everything_of_a_revoked_developer_is_refused(data_path: DataPath) -> None:
    alice = data_path.scene.developers[0]
    alice["status"] = "revoked"
    data_path.scene.write()
    data_path.wait_for_status(403, "dashboard")
    assert data_path.ask("dashboard").reason == "developer_revoked"
    assert data_path.status("team") == 200
    del alice["status"]
    data_path.scene.write()
    data_path.wait_for_status(200, "dashboard")


def test_deleted_application_is_refused(data_path: DataPath) -> None:
    data_path.scene.add("short-lived")
    data_path.scene.write()
    data_path.wait_for_status(200, "short-lived")
    del data_path.scene.applications["short-lived"]
    data_path.scene.write()
    data_path.wait_for_status(401, "short-lived")


def test_broken_edit_changes_nothing(data_path: DataPath) -> None:
    data_path.scene.file.write_text("portals: [")
    with Load(data_path.gateway.address, [allowed(data_path, 2)]) as load:
        seen = data_path.log("sync").count("source refused")
        load.watch(5, until=lambda: data_path.log("sync").count("source refused") > seen)
        load.more(ALLOWED, 20)
    data_path.scene.write()
    assert data_path.log("sync").count("source refused") > seen
    assert load.failures(ALLOWED) == {}
