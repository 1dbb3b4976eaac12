from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.errors import Invalid
from kong_app_auth.portal.services import passwords
from kong_app_auth.portal.store.developers import Developer
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.sites import EMAIL, PASSWORD, Site

OTHER = "another horse, another battery"


def _hash(site: Site) -> str:
    with site.clients.plane.read(System(region=REGION)) as tx:
        found = tx.session.scalars(select(Developer.password_hash)).one()
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("", "min_length"),
        ("elevenchars", "min_length"),
        ("é" * 129, "max_length"),
        ("aaabbbcccaaa", "invalid"),
        ("Dora.Developer@Example.com", "invalid"),
        ("dora.developer", "invalid"),
        ("dora the developer", "invalid"),
    ],
)
def test_a_weak_password_is_refused(password: str, rule: str) -> None:
    with pytest.raises(Invalid) as caught:
        passwords.check_rules(password, email="dora.developer@example.com", full_name="Dora the Developer")
    assert caught.value.parameters[0].rule == rule


def test_a_long_one_without_digits_is_good() -> None:
    passwords.check_rules("all lower case words", email=EMAIL)


def test_the_same_text_typed_in_another_unicode_form_is_the_same_password() -> None:
    assert passwords.matches(passwords.hashed("caf\u00e9 au lait, merci"), "cafe\u0301 au lait, merci")


def test_nobody_matches_no_hash() -> None:
    assert passwords.matches(None, PASSWORD) is False
    assert passwords.matches("no hash", PASSWORD) is False


def test_a_weak_password_does_not_use_up_the_token(site: Site) -> None:
    site.register()
    token = site.verify()["token"]
    problem = site.reset(token, "short", expect=400)

    assert problem["invalid_parameters"][0]["minimum"] == 12
    site.reset(token)


def test_a_forgotten_password_is_set_anew_and_all_sessions_end(site: Site) -> None:
    site.with_developer()
    site.sign_in()
    site.browser.request("POST", "/api/v3/developer/forgot-password", json={"email": EMAIL}, expect=200)
    old_mail = site.token("reset-password")
    site.browser.request("POST", "/api/v3/developer/forgot-password", json={"email": EMAIL}, expect=200)
    site.reset(site.token("reset-password"), OTHER)

    site.browser.get("/api/v3/developer/me", expect=401)
    site.reset(old_mail, expect=410)
    site.sign_in(expect=401)
    site.sign_in(password=OTHER)


def test_forgetting_is_answered_alike_for_an_unknown_address(site: Site) -> None:
    path = "/api/v3/developer/forgot-password"
    answer = site.browser.request("POST", path, json={"email": "nobody@example.com"}, expect=200)

    assert answer.content == b""
    assert site.mails() == []


def test_resets_are_limited(site: Site, clock: Clock) -> None:
    path = "/api/v3/developer/forgot-password"
    for _ in range(5):
        site.browser.request("POST", path, json={"email": EMAIL}, expect=200)
    site.browser.request("POST", path, json={"email": EMAIL}, expect=429)
    clock.forward(timedelta(hours=1))
    site.browser.request("POST", path, json={"email": EMAIL}, expect=200)


def test_an_outdated_hash_is_renewed_at_the_next_sign_in(site: Site) -> None:
    site.with_developer()
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    with site.clients.plane.write(System(region=REGION)) as tx:
        tx.session.scalars(select(Developer)).one().password_hash = old
    site.sign_in()

    assert not passwords.is_outdated(_hash(site))
    site.sign_in(site.another_browser())


def test_a_password_is_changed_by_its_owner_and_other_sessions_end(site: Site) -> None:
    site.with_developer()
    other = site.another_browser()
    site.sign_in()
    site.sign_in(other)
    path = "/api/v3/developer/change-password"
    problem = site.browser.post(path, {"current_password": "wrong", "new_password": OTHER}, expect=400)
    assert problem["invalid_parameters"][0]["field"] == "current_password"
    problem = site.browser.post(path, {"current_password": PASSWORD, "new_password": "short"}, expect=400)
    assert problem["invalid_parameters"][0]["field"] == "new_password"
    site.browser.post(path, {"current_password": PASSWORD, "new_password": OTHER}, expect=204)

    site.browser.get("/api/v3/developer/me")
    other.get("/api/v3/developer/me", expect=401)
    site.sign_in(other, password=OTHER)
