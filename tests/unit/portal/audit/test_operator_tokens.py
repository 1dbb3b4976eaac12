import re
from datetime import timedelta
from typing import Any

import pytest

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.errors import Invalid, NotFound
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import operator_tokens
from tests.control_plane.clients import Client, Clients
from tests.control_plane.settings import REGION, Clock


def holder(clients: Clients, text: str) -> Client:
    client = clients.nobody()
    client.http.headers["authorization"] = f"Bearer {text}"
    return client


def make(plane: ControlPlane, **given: Any) -> tuple[str, str]:
    with plane.write(System(region=REGION)) as tx:
        wanted: dict[str, Any] = {"name": "ci", "scope": "read", **given}
        token, text = operator_tokens.create(tx, **wanted)
        return token.id, text


def test_a_token_opens_its_region_with_its_scope(plane: ControlPlane, clients: Clients) -> None:
    _, reading = make(plane)
    _, writing = make(plane, scope="write")

    assert re.fullmatch(r"kaop_[A-Za-z0-9_-]{43}", reading)
    holder(clients, reading).get("/v3/portals")
    holder(clients, reading).post("/v3/portals", {"name": "Staging"}, expect=403)
    holder(clients, writing).post("/v3/portals", {"name": "Staging"})
    assert len(holder(clients, reading).get("/v3/portals")["data"]) == 1


def test_the_text_of_a_token_is_kept_nowhere(plane: ControlPlane, clients: Clients) -> None:
    token_id, text = make(plane, scope="write")

    with plane.read(System(region=REGION)) as tx:
        (token,) = tx.session.scalars(operator_tokens.all_tokens(tx))
        assert token.id == token_id
        assert text not in {str(value) for value in vars(token).values()}
    log = holder(clients, text).request("GET", "/v3/audit-log").text
    assert text not in log
    assert token.digest not in log


def test_a_token_ends_at_its_time(plane: ControlPlane, clients: Clients, clock: Clock) -> None:
    _, text = make(plane, expires_at=clock.now + timedelta(days=1))

    holder(clients, text).get("/v3/portals")
    clock.forward(timedelta(days=1))
    holder(clients, text).get("/v3/portals", expect=401)


def test_a_revoked_token_opens_nothing(plane: ControlPlane, clients: Clients, clock: Clock) -> None:
    token_id, text = make(plane)
    with plane.write(System(region=REGION)) as tx:
        revoked_at = operator_tokens.revoke(tx, token_id).revoked_at
    clock.forward(timedelta(days=1))

    holder(clients, text).get("/v3/portals", expect=401)
    with plane.write(System(region=REGION)) as tx:
        assert operator_tokens.revoke(tx, token_id).revoked_at == revoked_at


def test_a_token_of_another_region_is_not_there(plane: ControlPlane) -> None:
    token_id, _ = make(plane)

    with plane.read(System(region="us")) as tx:
        assert tx.session.scalars(operator_tokens.all_tokens(tx)).all() == []
        with pytest.raises(NotFound):
            operator_tokens.revoke(tx, token_id)


@pytest.mark.parametrize("given", [{"name": ""}, {"name": "x" * 256}, {"scope": "admin"}, {"expires_at": "now"}])
def test_what_is_no_token_is_not_made(plane: ControlPlane, clock: Clock, given: dict[str, Any]) -> None:
    if "expires_at" in given:
        given = {"expires_at": clock.now}
    with pytest.raises(Invalid):
        make(plane, **given)
