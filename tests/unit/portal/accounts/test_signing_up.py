from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.developers import Developer, DeveloperToken
from tests.control_plane.settings import REGION, Clock
from tests.control_plane.sites import EMAIL, PASSWORD, Site


def _developers(site: Site) -> list[Developer]:
    with site.clients.plane.read(System(region=REGION)) as tx:
        return list(tx.session.scalars(select(Developer)))


def test_a_developer_signs_up_confirms_the_address_sets_a_password_and_signs_in(site: Site) -> None:
    site.register()
    assert site.mails()[-1].recipient == EMAIL
    answer = site.verify()
    assert answer["email"] == EMAIL
    site.reset(answer["token"])
    site.sign_in()

    assert site.browser.get("/api/v3/developer/me")["full_name"] == "Dora Ray"


def test_without_auto_approval_a_developer_waits_for_an_operator(site_with: Callable[..., Site]) -> None:
    site = site_with().with_developer()

    assert _developers(site)[0].status == "pending"
    site.sign_in(expect=401)


def test_before_the_address_is_confirmed_nobody_is_approved(site: Site) -> None:
    site.register()

    assert _developers(site)[0].status == "pending"
    assert _developers(site)[0].email_verified_at is None


def test_the_answer_is_the_same_for_a_known_address_and_its_owner_is_told(site: Site) -> None:
    site.with_developer()
    before = site.browser.request(
        "POST", "/api/v3/developer", json={"email": "new@example.com", "full_name": "X"}, expect=201
    )
    again = site.browser.request(
        "POST", "/api/v3/developer", json={"email": EMAIL.upper(), "full_name": "X"}, expect=201
    )

    assert (before.content, again.content) == (b"", b"")
    assert dict(before.headers).keys() == dict(again.headers).keys()
    assert len(_developers(site)) == 2
    assert site.mails("account-exists")[-1].recipient == EMAIL


def test_who_signs_up_again_before_confirming_gets_another_mail(site: Site) -> None:
    site.register()
    site.register()

    assert len(site.mails("confirm-email-address")) == 2
    assert len(_developers(site)) == 1
    site.verify()


def test_the_stranger_s_name_is_not_in_the_mail_to_an_address_that_is_not_confirmed(site: Site) -> None:
    site.register()

    mail = site.mails("confirm-email-address")[0]
    assert "Dora Ray" not in mail.text + mail.html + mail.subject


def test_a_token_is_used_once(site: Site) -> None:
    site.register()
    token = site.verify()["token"]
    site.verify(expect=410)
    site.reset(token)
    site.reset(token, expect=410)


def test_an_unknown_token_and_one_of_another_portal_are_not_there(site_with: Callable[..., Site], site: Site) -> None:
    site.reset("00000000-0000-4000-8000-000000000000", expect=404)
    site.register()
    other = site_with(auto_approve_developers=True, description="another", name="Other")
    body = {"token": site.token("confirm-email-address")}
    other.browser.post("/api/v3/developer/verify-email", body, expect=404)
    site.verify()


def test_a_token_of_one_purpose_is_none_of_the_other(site: Site) -> None:
    site.register()

    site.reset(site.token("confirm-email-address"), expect=404)


def test_a_token_is_good_for_a_day(site: Site, clock: Clock) -> None:
    site.register()
    clock.forward(timedelta(hours=24))

    site.verify(expect=410)


def test_tokens_are_kept_as_digests_only(site: Site) -> None:
    site.register()
    token = site.token("confirm-email-address")

    with site.clients.plane.read(System(region=REGION)) as tx:
        kept = tx.session.scalars(select(DeveloperToken)).one()
    assert token not in repr(vars(kept))


def test_a_portal_without_authentication_has_no_accounts(site_with: Callable[..., Site]) -> None:
    browser = site_with(authentication_enabled=False).browser

    browser.post("/api/v3/developer", {"email": EMAIL, "full_name": "Dora"}, expect=403)
    browser.post("/api/v3/developer/forgot-password", {"email": EMAIL}, expect=403)
    browser.post("/api/v3/developer/authenticate", {"username": EMAIL, "password": PASSWORD}, expect=403)


def test_what_is_no_address_is_refused(site: Site) -> None:
    for email in ("", "dora", "dora@", "dora@example.com\nBcc: x@example.com", "x" * 250 + "@example.com", 7):
        problem = site.browser.post("/api/v3/developer", {"email": email, "full_name": "D"}, expect=400)
        assert problem["invalid_parameters"][0]["field"] == "email"


def test_a_rejected_developer_hears_nothing_and_learns_nothing(site: Site) -> None:
    site.with_developer()
    with site.clients.plane.write(System(region=REGION)) as tx:
        tx.session.scalars(select(Developer)).one().status = "rejected"
    mails = len(site.mails())
    site.register()
    site.browser.request("POST", "/api/v3/developer/forgot-password", json={"email": EMAIL}, expect=200)

    assert len(site.mails()) == mails


def test_sign_ups_are_limited_by_address_of_mail(site: Site, clock: Clock) -> None:
    for _ in range(5):
        site.register()
    body = {"email": EMAIL, "full_name": "Dora"}
    refused = site.browser.request("POST", "/api/v3/developer", json=body, expect=429)

    assert refused.headers["retry-after"] == "3600"
    clock.forward(timedelta(hours=1))
    site.register()
