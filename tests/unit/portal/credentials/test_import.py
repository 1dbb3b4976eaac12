"""Operators bring keys that clients hold already."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

import pytest

from kong_app_auth.domain import api_key
from tests.control_plane.clients import Clients
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.stage import Stage

NO_KEYS: list[dict[str, str]] = [
    {},
    {"key": "too-short"},
    {"key": "x" * 513},
    {"key": "a key with blanks in it, and long"},
    {"key": "ключ-ключ-ключ-ключ-ключ"},
    {"key_sha256": "abc"},
    {"key_sha256": "g" * 64},
    {"key": "an-old-key-of-another-gateway", "key_sha256": "0" * 64},
    {"key": "an-old-key-of-another-gateway", "expires_at": "2026-11-23T12:00:00Z"},
    {"key": "an-old-key-of-another-gateway", "expires_at": "2027-01-01T00:00:00"},
    {"key": "an-old-key-of-another-gateway", "expires_at": "tomorrow"},
    {"key": "an-old-key-of-another-gateway", "status": "active"},
]


@pytest.fixture
def old_key() -> str:
    """A key of another gateway."""
    return f"an-old-key-{secrets.token_hex(8)}"


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


def _place(stage: Stage, **application: Any) -> str:
    return f"{stage.path}/applications/{stage.application(stage.developer(), **application)}/credentials"


@pytest.mark.parametrize("by_hash", [False, True])
def test_an_imported_key_is_let_in_as_if_it_were_made_here(stage: Stage, old_key: str, *, by_hash: bool) -> None:
    place = _place(stage)
    given = {"key_sha256": hashlib.sha256(old_key.encode()).hexdigest().upper()} if by_hash else {"key": old_key}
    made = stage.operator.post(place, {**given, "display_name": "Legacy"})

    assert (made["display_name"], made["status"], made["expires_at"]) == ("Legacy", "active", None)
    assert "credential" not in made
    assert stage.operator.get(place)["data"] == [made]
    assert stage.gateway_key(old_key).id == made["id"]
    (deed,) = stage.deeds("import_key")
    assert deed.entity_id == made["id"]
    assert old_key not in str(deed.after)


def test_a_key_of_our_form_is_taken_if_it_is_whole_and_of_this_region(stage: Stage) -> None:
    place = _place(stage)
    good = api_key.mint(REGION)

    for key in (good[:-1] + ("0" if good[-1] != "0" else "1"), api_key.mint("us")):
        problem = stage.operator.post(place, {"key": key}, expect=400)
        assert key not in str(problem)
    stage.operator.post(place, {"key": good})


def test_what_is_no_key_is_not_imported_and_not_repeated(stage: Stage) -> None:
    place = _place(stage)

    for body in NO_KEYS:
        problem = stage.operator.post(place, body, expect=400)
        assert "an-old-key" not in str(problem)
    assert stage.operator.get(place)["data"] == []


def test_a_key_is_known_once_in_a_region_and_nobody_is_told_whose(clients: Clients, stage: Stage, old_key: str) -> None:
    other = Stage(clients)
    first = stage.operator.post(_place(stage), {"key": old_key})
    place = _place(other)
    problem = other.operator.post(place, {"key": old_key}, expect=409)

    told = str(problem)
    assert not any(secret in told for secret in (first["id"], stage.portal, old_key, api_key.digest(old_key).hex()))
    other.operator.post(place, {"key_sha256": api_key.digest(old_key).hex()}, expect=409)


def test_a_made_key_cannot_be_imported_again(stage: Stage) -> None:
    me = stage.developer()
    app = stage.application(me)
    key = stage.key(me, app)["credential"]

    stage.operator.post(f"{stage.path}/applications/{app}/credentials", {"key": key}, expect=409)


def test_an_imported_key_ends_when_it_is_said(stage: Stage, clock: Clock, old_key: str) -> None:
    end = clock.now + timedelta(days=3)
    made = stage.operator.post(_place(stage), {"key": old_key, "expires_at": end.isoformat()})

    assert datetime.fromisoformat(made["expires_at"]) == end
    assert stage.gateway_key(old_key).expires_at == int(end.timestamp())


def test_no_import_outlives_the_strategys_ttl(stage: Stage, clock: Clock, old_key: str) -> None:
    short = stage.strategy("key_auth", ttl={"value": 1, "unit": "days"})
    stage.api(auth_strategy_id=short)
    place = _place(stage, auth_strategy_id=short)
    late = (clock.now + timedelta(days=2)).isoformat()

    stage.operator.post(place, {"key": old_key, "expires_at": late}, expect=400)
    made = stage.operator.post(place, {"key": old_key})
    assert datetime.fromisoformat(made["expires_at"]) == clock.now + timedelta(days=1)


def test_imports_count_to_the_limit(stage: Stage, old_key: str) -> None:
    me = stage.developer()
    app = stage.application(me)
    for _ in range(20):
        stage.key(me, app)

    stage.operator.post(f"{stage.path}/applications/{app}/credentials", {"key": old_key}, expect=403)


def test_a_reading_operator_imports_and_revokes_nothing(clients: Clients, stage: Stage, old_key: str) -> None:
    place = _place(stage)
    made = stage.operator.post(place, {"key": old_key})
    reader = clients.operator(scope="read")

    reader.post(place, {"key": old_key + "2"}, expect=403)
    reader.delete(f"{place}/{made['id']}", expect=403)
