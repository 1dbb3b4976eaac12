from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.mail import notices
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.mail import Message
from kong_app_auth.portal.store.teams import Team, TeamMember
from kong_app_auth.portal.transaction import Transaction
from tests.control_plane.scenes import Scene
from tests.control_plane.settings import REGION, Clock, control_plane, sqlite

ACTOR = System(region=REGION)


@pytest.fixture
def plane(tmp_path: Path, clock: Clock) -> Generator[ControlPlane]:
    notify = {REGION: ("operators@example.com", "second@example.com")}
    with control_plane(sqlite(tmp_path), clock, notify=notify) as made:
        yield made


def _mails(tx: Transaction) -> list[Message]:
    tx.session.flush()
    return list(tx.session.scalars(select(Message).order_by(Message.recipient)))


@pytest.mark.parametrize("status", ["approved", "rejected", "revoked"])
def test_a_developer_is_told_of_the_account(plane: ControlPlane, status: str) -> None:
    with plane.write(ACTOR) as tx:
        scene = Scene(tx)
        scene.dora.status = status
        notices.developer_status_changed(tx, scene.portal, scene.dora)
        (mail,) = _mails(tx)
    assert (mail.template, mail.recipient) == (f"account-access-{status}", "dora@example.com")
    assert mail.next_attempt_at == plane.clock()


def test_of_pending_nobody_is_told(plane: ControlPlane) -> None:
    with plane.write(ACTOR) as tx:
        scene = Scene(tx)
        scene.dora.status = "pending"
        notices.developer_status_changed(tx, scene.portal, scene.dora)
        notices.registration_status_changed(tx, scene.portal, scene.registration)
        assert _mails(tx) == []


@pytest.mark.parametrize("status", ["approved", "rejected", "revoked"])
def test_an_owner_is_told_of_a_registration_and_why(plane: ControlPlane, status: str) -> None:
    with plane.write(ACTOR) as tx:
        scene = Scene(tx)
        scene.registration.status, scene.registration.reason = status, "As we said on the phone"
        notices.registration_status_changed(tx, scene.portal, scene.registration)
        (mail,) = _mails(tx)
    assert mail.template == f"app-registration-{status}"
    assert all(part in mail.text for part in ("Umbrella", "Weather API v1", "As we said on the phone"))


def test_the_members_of_a_team_are_told_of_its_application(plane: ControlPlane) -> None:
    with plane.write(ACTOR) as tx:
        scene = Scene(tx)
        team = Team(portal_id=scene.portal.id, name="Team", can_own_applications=True)
        tx.session.add(team)
        tx.session.flush()
        members = [scene.developer(tx, "ann"), scene.developer(tx, "bob"), scene.developer(tx, "eve", "revoked")]
        tx.session.add_all([TeamMember(team_id=team.id, developer_id=one.id, created_at=tx.now) for one in members])
        scene.application.developer_id, scene.application.team_id = None, team.id
        tx.session.flush()
        notices.key_disclosed(tx, scene.portal, scene.application, scene.credential)
        assert [one.recipient for one in _mails(tx)] == ["ann@example.com", "bob@example.com"]


@pytest.mark.parametrize("shown", [True, False])
def test_operators_are_told_of_requests_and_of_people_only_where_the_portal_shows_them(
    plane: ControlPlane, shown: bool
) -> None:
    with plane.write(ACTOR) as tx:
        scene = Scene(tx)
        scene.portal.notifications_developer_pii_visibility_enabled = shown
        notices.registration_requested(tx, scene.portal, scene.registration)
        notices.developer_requested(tx, scene.portal, scene.dora)
        mails = _mails(tx)
    assert [one.recipient for one in mails] == ["operators@example.com"] * 2 + ["second@example.com"] * 2
    for mail in mails:
        assert ("dora@example.com" in mail.text, "dora@example.com" in mail.html) == (shown, shown)
        assert ("Name: Dora" in mail.text) == shown
        assert scene.dora.id in mail.text


def test_a_portal_s_own_operators_go_before_those_of_the_region(tmp_path: Path) -> None:
    notify: dict[str, Any] = {REGION: ("region@example.com",)}
    with control_plane(sqlite(tmp_path), notify=notify) as plane, plane.write(ACTOR) as tx:
        scene = Scene(tx)
        notify[scene.portal.id] = ("own@example.com",)
        notices.registration_requested(tx, scene.portal, scene.registration)
        assert [one.recipient for one in _mails(tx)] == ["own@example.com"]


def _fail_after_an_invitation(plane: ControlPlane) -> None:
    with plane.write(ACTOR) as tx:
        scene = Scene(tx)
        notices.developer_invited(tx, scene.portal, scene.dora)
        tx.session.flush()
        raise LookupError


def test_no_mail_is_sent_of_what_was_not_committed(plane: ControlPlane) -> None:
    with pytest.raises(LookupError):
        _fail_after_an_invitation(plane)
    with plane.read(ACTOR) as tx:
        assert _mails(tx) == []


def test_links_lead_to_the_portal_s_own_address_with_the_token_behind_the_hash(plane: ControlPlane) -> None:
    with plane.write(ACTOR) as tx:
        scene = Scene(tx)
        notices.developer_invited(tx, scene.portal, scene.dora)
        scene.portal.custom_domain = "developers.example.com"
        notices.verify_email(tx, scene.portal, scene.dora)
        mails = {one.template: one.text for one in _mails(tx)}
    assert "http://portal.test/p/staging/reset-password#token=" in mails["developer-invitation"]
    assert "http://developers.example.com/verify-email#token=" in mails["confirm-email-address"]
