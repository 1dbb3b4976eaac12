"""Whoever finds a leaked key hands it in."""

from collections.abc import Callable
from typing import Any

import pytest

from kong_app_auth.domain import api_key, records
from kong_app_auth.portal.services.disclosures import LIMIT, WINDOW
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.stage import Stage
from tests.control_plane.statements import counted

Finder = Callable[[Stage], tuple[Client, str]]


@pytest.fixture
def stage(clients: Clients) -> Stage:
    return Stage(clients)


def _anybody(stage: Stage) -> tuple[Client, str]:
    return stage.clients.nobody(), "/v3/key-disclosures"


def _visitor(stage: Stage) -> tuple[Client, str]:
    return stage.clients.visitor(stage.portal), "/api/v3/key-disclosures"


def _visitor_elsewhere(stage: Stage) -> tuple[Client, str]:
    return _visitor(Stage(stage.clients))


@pytest.mark.parametrize("finder", [_anybody, _visitor, _visitor_elsewhere])
def test_a_real_key_is_revoked_at_once_and_its_owner_is_told(stage: Stage, finder: Finder) -> None:
    me = stage.developer()
    app = stage.application(me)
    made, kept = stage.key(me, app), stage.key(me, app)
    client, path = finder(stage)
    client.post(path, {"key": made["credential"]}, expect=204)

    listed = {one["id"]: one["status"] for one in me.get(f"/api/v3/applications/{app}/credentials")["data"]}
    assert listed == {made["id"]: "revoked", kept["id"]: "active"}
    assert stage.gateway_key(made["credential"]).state is records.CredentialState.REVOKED
    assert stage.mails() == ["api-key-disclosed"]
    (deed,) = stage.deeds("disclose_key")
    assert (deed.entity_id, deed.portal_id) == (made["id"], stage.portal)


def test_an_imported_key_is_found_too(stage: Stage) -> None:
    place = f"{stage.path}/applications/{stage.application(stage.developer())}/credentials"
    stage.operator.post(place, {"key": "a-key-that-was-imported"})
    client, path = _anybody(stage)
    client.post(path, {"key": "a-key-that-was-imported"}, expect=204)

    assert stage.operator.get(place)["data"][0]["status"] == "revoked"


@pytest.mark.parametrize(
    "key",
    [api_key.mint(REGION), api_key.mint("us"), "x", "ключ", "?" * 512, "a b\tc"],
    ids=["unknown", "another region's", "short", "no ASCII", "long", "white space"],
)
def test_the_answer_is_the_same_for_what_is_no_key(stage: Stage, key: str) -> None:
    client, path = _anybody(stage)
    before = stage.changes()
    client.post(path, {"key": key}, expect=204)

    assert (stage.changes(), stage.mails(), stage.deeds("disclose_key")) == (before, [], [])


def test_the_same_is_read_for_a_key_as_for_none(stage: Stage) -> None:
    me = stage.developer()
    key = stage.key(me, stage.application(me))["credential"]
    client, path = _anybody(stage)
    reads: list[list[str]] = []
    for one in (api_key.mint(REGION), key, key):
        with counted(stage.plane) as statements:
            client.post(path, {"key": one}, expect=204)
        reads.append(statements)

    unknown, _real, known_but_revoked = reads
    assert unknown == known_but_revoked
    assert stage.mails() == ["api-key-disclosed"]


@pytest.mark.parametrize("body", [None, [], {}, {"key": ""}, {"key": "x" * 513}, {"key": 1}, {"key": "x", "more": 1}])
def test_what_is_not_well_formed_is_told(stage: Stage, body: Any) -> None:
    client, path = _anybody(stage)
    client.post(path, body, expect=400)


def test_one_address_hands_in_so_many(stage: Stage, clock: Clock) -> None:
    client, path = _anybody(stage)
    clock.forward(WINDOW)
    for _ in range(LIMIT):
        client.post(path, {"key": "x"}, expect=204)

    client.post(path, {"key": "x"}, expect=429)
    clock.forward(WINDOW)
    client.post(path, {"key": "x"}, expect=204)


def test_another_sites_page_cannot_hand_in_keys_with_a_developers_cookie(stage: Stage) -> None:
    client, path = _visitor(stage)
    client.post(path, {"key": "x"}, headers={"sec-fetch-site": "cross-site"}, expect=403)
