"""The audit log's way to its destinations, with a real HTTP server at its end, on both databases."""

import contextlib
import hashlib
import hmac
import json
import re
import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.audit import delivery
from kong_app_auth.portal.audit.delivery import LEASE, deliver_due
from kong_app_auth.portal.audit.posting import post
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.audit import AuditLogSubscription
from kong_app_auth.portal.vault import Vault
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite
from tests.servers.postgres import PostgresServer
from tests.servers.process import wait_until
from tests.servers.receiver import Received, Receiver, receiver
from tests.servers.tls import make_certificates, tls_front

DESTINATIONS = "/v3/audit-log-destinations"
KEY = Vault.new_key()
HOUR = timedelta(hours=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as empty:
        yield empty


@pytest.fixture
def plane(url: str, clock: Clock) -> Iterator[ControlPlane]:
    with control_plane(url, clock, vault_keys=(KEY,)) as made:
        yield made


@pytest.fixture
def operator(plane: ControlPlane) -> Client:
    return Clients(plane).operator()


@pytest.fixture
def siem() -> Iterator[Receiver]:
    with receiver() as started:
        yield started


def subscribe(operator: Client, siem: Receiver, **more: Any) -> dict[str, Any]:
    """Let the receiver hear of the whole region, from the next change on."""
    made: dict[str, Any] = operator.post(
        DESTINATIONS, {"name": "SIEM", "endpoint": siem.url(), "all_portals": True, **more}
    )
    return made


def portal(operator: Client, name: str = "Staging") -> str:
    return str(operator.post("/v3/portals", {"name": name})["id"])


def told(requests: list[Received]) -> list[tuple[str, str]]:
    entries = [json.loads(one.body) for one in requests]
    return [(entry["action"], entry["entity_type"]) for entry in entries]


def is_signed(request: Received, secret: str) -> bool:
    """As a receiver would do it, by the documentation alone."""
    found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", request.headers["x-app-auth-signature"])
    assert found is not None
    expected = hmac.new(secret.encode(), found[1].encode() + b"." + request.body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, found[2])


def test_a_receiver_that_fails_twice_gets_every_entry_in_the_end_once_and_in_order(
    operator: Client, plane: ControlPlane, siem: Receiver, clock: Clock
) -> None:
    secret = subscribe(operator, siem)["secret"]
    siem.answer(503, 500)
    portal(operator)

    assert deliver_due(plane) == 0
    assert deliver_due(plane) == 0, "it waits before it tries again"
    clock.forward(timedelta(seconds=5))
    assert deliver_due(plane) == 0
    clock.forward(timedelta(seconds=10))
    taken = deliver_due(plane)

    accepted = siem.received[2:]
    assert taken == len(accepted) > 1
    log = operator.get("/v3/audit-log", params={"page[size]": 100})["data"]
    assert [json.loads(one.body) for one in accepted] == log[::-1][-taken:]
    assert all(is_signed(one, secret) for one in siem.received)
    assert not is_signed(siem.received[0], "whsec_another")
    ids = [one.headers["x-app-auth-delivery"] for one in siem.received]
    assert ids[0] == ids[1] == ids[2]
    assert len(set(ids)) == taken
    assert {one.path for one in siem.received} == {"/audit?source=portal"}
    assert deliver_due(plane) == 0, "what was delivered is no news"
    state = operator.get(DESTINATIONS)["data"][0]
    assert (state["status"], state["last_response_code"], state["last_response_message"]) == ("active", 200, "OK")


def test_a_receiver_says_when_to_come_again(
    operator: Client, plane: ControlPlane, siem: Receiver, clock: Clock
) -> None:
    subscribe(operator, siem)
    siem.answer(429, headers={"Retry-After": "600"})
    portal(operator)

    assert deliver_due(plane) == 0
    clock.forward(timedelta(seconds=599))
    assert deliver_due(plane) == 0
    assert len(siem.received) == 1
    clock.forward(timedelta(seconds=1))
    assert deliver_due(plane) > 1


def test_the_time_of_a_signature_is_that_of_the_attempt(
    operator: Client, plane: ControlPlane, siem: Receiver, clock: Clock
) -> None:
    subscribe(operator, siem)
    siem.answer(500)
    portal(operator)
    deliver_due(plane)
    clock.forward(HOUR)
    deliver_due(plane)

    times = [int(one.headers["x-app-auth-signature"].partition(",")[0].removeprefix("t=")) for one in siem.received]
    assert times[1] - times[0] == HOUR.total_seconds()


def test_a_portals_webhook_hears_of_that_portal_only_and_from_then_on(
    operator: Client, plane: ControlPlane, siem: Receiver
) -> None:
    staging, production = portal(operator), portal(operator, "Production")
    made = subscribe(operator, siem, all_portals=False)["id"]
    path = f"/v3/portals/{staging}/audit-log-webhook"
    operator.patch(path, {"enabled": True, "audit_log_destination_id": made})
    operator.patch(f"/v3/portals/{production}", {"name": "Other"})
    operator.patch(f"/v3/portals/{staging}", {"name": "Mine"})

    assert deliver_due(plane) == 2
    assert told(siem.received) == [("create", "audit_log_webhook"), ("update", "portal")]
    assert {json.loads(one.body)["portal_id"] for one in siem.received} == {staging}
    status = operator.get(f"{path}/status")
    assert (status["webhook_status"], status["last_response_code"]) == ("active", 200)
    operator.delete(path)
    operator.patch(f"/v3/portals/{staging}", {"name": "Again"})
    assert deliver_due(plane) == 0


def test_regions_hear_nothing_of_each_other(operator: Client, plane: ControlPlane, siem: Receiver) -> None:
    subscribe(operator, siem)
    portal(Clients(plane).operator(region="us"))

    assert deliver_due(plane) == 1
    assert told(siem.received) == [("create", "audit_log_destination")]


def test_several_processes_send_nothing_twice(operator: Client, plane: ControlPlane, siem: Receiver, url: str) -> None:
    subscribe(operator, siem)
    for number in range(5):
        portal(operator, f"Portal {number}")
    siem.gate.clear()
    with (
        control_plane(url, plane.clock, vault_keys=(KEY,)) as second,
        control_plane(url, plane.clock, vault_keys=(KEY,)) as third,
        ThreadPoolExecutor(3) as pool,
    ):
        attempts = [pool.submit(deliver_due, one) for one in (plane, second, third)]
        wait_until(lambda: sum(attempt.done() for attempt in attempts) == 2, "two processes find nothing to do")
        siem.gate.set()
        taken = sorted(attempt.result() for attempt in attempts)

    assert taken[:2] == [0, 0]
    assert taken[2] == len(siem.received) == len({one.headers["x-app-auth-delivery"] for one in siem.received})


def test_what_a_dead_process_had_begun_is_sent_when_its_lease_is_over(
    operator: Client, plane: ControlPlane, siem: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(operator, siem)

    def dies(*_: Any) -> int:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(delivery, "_serve", dies)
        with pytest.raises(SystemExit):
            deliver_due(plane)

    assert deliver_due(plane) == 0
    clock.forward(LEASE)
    assert deliver_due(plane) == 1


def test_an_outcome_that_comes_after_the_lease_changes_nothing(
    operator: Client, plane: ControlPlane, siem: Receiver, clock: Clock
) -> None:
    subscribe(operator, siem)
    siem.gate.clear()
    siem.answer(500)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(deliver_due, plane)
        wait_until(lambda: siem.received, "the first attempt")
        clock.forward(LEASE)
        (claim,) = delivery.claim_due(plane, REGION)
        siem.gate.set()
        assert late.result() == 0

    with plane.read(System(region=REGION)) as tx:
        (subscription,) = tx.session.scalars(select(AuditLogSubscription))
        assert (subscription.lease, subscription.failures) == (claim.lease, 0)


def test_one_receiver_that_fails_holds_up_no_other(operator: Client, plane: ControlPlane, siem: Receiver) -> None:
    with receiver() as broken:
        broken.answer(*[500] * 10)
        subscribe(operator, broken, name="broken")
        subscribe(operator, siem)
        portal(operator)
        taken = deliver_due(plane)

        assert taken == len(siem.received) > 1
        assert len(broken.received) == 1


def test_redirects_are_not_followed(operator: Client, plane: ControlPlane, siem: Receiver) -> None:
    siem.answer(302, 307, headers={"Location": "/elsewhere"})
    subscribe(operator, siem)

    assert deliver_due(plane) == 0
    assert [one.path for one in siem.received] == ["/audit?source=portal"]
    assert operator.get(DESTINATIONS)["data"][0]["last_response_code"] == 302


def test_a_huge_answer_is_not_read(operator: Client, plane: ControlPlane, siem: Receiver) -> None:
    siem.answer(200, body=b"x" * 20_000_000)
    subscribe(operator, siem)

    assert deliver_due(plane) == 1


def test_a_webhook_that_fails_for_too_long_is_turned_off_and_goes_on_where_it_stopped(
    operator: Client, plane: ControlPlane, siem: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MAX_FAILURES", 2)
    staging = portal(operator)
    made = subscribe(operator, siem, all_portals=False)["id"]
    path = f"/v3/portals/{staging}/audit-log-webhook"
    operator.patch(path, {"enabled": True, "audit_log_destination_id": made})
    siem.answer(401, 401)
    for _ in range(4):
        deliver_due(plane)
        clock.forward(HOUR)

    assert len(siem.received) == 2
    assert operator.get(f"{path}/status") == {
        "webhook_status": "inactive",
        "webhook_enabled": True,
        "last_attempt_at": (clock.now - 3 * HOUR).isoformat().replace("+00:00", "Z"),
        "last_response_code": 401,
        "last_response_message": "Unauthorized",
    }
    operator.patch(f"/v3/portals/{staging}", {"name": "Meanwhile"})
    operator.patch(path, {"enabled": True})
    assert operator.get(f"{path}/status")["webhook_status"] == "active"
    deliver_due(plane)
    assert told(siem.received[2:]) == [("create", "audit_log_webhook"), ("update", "portal")]


def test_nothing_secret_is_logged(operator: Client, plane: ControlPlane, siem: Receiver) -> None:
    secret = subscribe(operator, siem)["secret"]
    siem.answer(500)
    with capture_logs() as logs:
        deliver_due(plane)

    (entry,) = logs
    assert (entry["event"], entry["code"], entry["failures"]) == ("audit log webhook failed", 500, 1)
    assert secret not in str(logs)
    assert "source=portal" not in str(logs)


def test_a_secret_that_cannot_be_opened_is_said_and_nothing_is_sent(
    operator: Client, plane: ControlPlane, siem: Receiver, url: str
) -> None:
    subscribe(operator, siem)
    with control_plane(url, plane.clock) as other_key:
        assert deliver_due(other_key) == 0

    assert siem.received == []
    state = operator.get(DESTINATIONS)["data"][0]
    assert state["last_response_code"] is None
    assert "cannot be opened" in state["last_response_message"]


def test_a_new_secret_signs_from_then_on(operator: Client, plane: ControlPlane, siem: Receiver) -> None:
    made = subscribe(operator, siem)
    secret = operator.post(f"{DESTINATIONS}/{made['id']}/regenerate-secret", expect=200)["secret"]
    deliver_due(plane)

    assert all(is_signed(one, secret) for one in siem.received)


@contextlib.contextmanager
def hung(first: bytes, forever: bytes) -> Generator[int]:
    """A server that says `first` and then a bit of `forever` again and again, as long as somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        done = threading.Event()

        def serve() -> None:
            accepted, _ = listener.accept()
            with accepted, contextlib.suppress(OSError):
                accepted.sendall(first)
                while not done.wait(0.02):
                    accepted.sendall(forever)

        served = pool.submit(serve)
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            served.result(10)


@pytest.mark.parametrize(
    ("scheme", "first", "forever"),
    [
        ("http", b"", b""),
        ("http", b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        ("https", b"", b""),
        ("https", b"\x16\x03\x03\x40\x00", b"\x02"),
    ],
    ids=["silent", "header byte by byte", "silent in TLS", "TLS byte by byte"],
)
def test_a_server_that_never_comes_to_an_end_is_left(scheme: str, first: bytes, forever: bytes) -> None:
    with hung(first, forever) as port:
        answer = post(f"{scheme}://127.0.0.1:{port}/", b"{}", {}, total=0.3)

    assert answer.code is None
    assert not answer.accepted


def test_nobody_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/", b"{}", {}).message == "no answer (ConnectionRefusedError)"


def test_what_is_no_http_is_no_answer() -> None:
    with hung(b"SSH-2.0-OpenSSH_9.6\r\n", b"") as port:
        assert post(f"http://127.0.0.1:{port}/", b"{}", {}).message == "no answer (BadStatusLine)"


def test_a_server_must_prove_by_its_certificate_who_it_is(siem: Receiver, tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with tls_front(certificates, siem.port) as port:
        target = f"https://localhost:{port}/audit"
        known = ssl.create_default_context(cafile=str(certificates.authority))
        stranger = ssl.create_default_context(cafile=str(certificates.stranger))

        assert post(target, b"{}", {}, context=known).accepted
        for context in (None, stranger):
            assert post(target, b"{}", {}, context=context).message == "no answer (SSLCertVerificationError)"
        assert len(siem.received) == 1
