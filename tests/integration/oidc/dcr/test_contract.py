"""One contract for all adapters: what `provider.Provider` says, held against a server of each type."""

from collections.abc import Callable

import msgspec
import pytest

from kong_app_auth.oidc.dcr.provider import (
    ClientRequest,
    DcrFailed,
    Event,
    EventType,
    FailureKind,
    Provider,
    RegisteredClient,
)
from kong_app_auth.oidc.outgoing import Outgoing
from tests.integration.oidc.dcr.places import WRONG, Place
from tests.servers.dcr_providers.auth0 import API
from tests.servers.dcr_providers.serving import RETRY_AFTER

APPLICATION = "3f0c1b2a-1111-4222-8333-444455556666"
WANTED = ClientRequest(
    reference=APPLICATION,
    client_name="Storm chasers",
    application_description="Shows the <weather>",
    scopes=("weather.read",),
    audiences=(API,),
    portal_id="p1",
    developer_id="d1",
)
RENAMED = msgspec.structs.replace(WANTED, client_name="Calm seas", scopes=("weather.read", "weather.write"))
ANSWERLESS = ("cut", "nonsense", "break", "huge")


@pytest.fixture
def provider(place: Place, outgoing: Outgoing) -> Provider:
    return place.provider(outgoing)


def secret_of(client: RegisteredClient) -> str:
    assert client.client_secret is not None
    return client.client_secret


def failure(call: Callable[[], object]) -> DcrFailed:
    with pytest.raises(DcrFailed) as failed:
        call()
    return failed.value


class TestVerify:
    def test_good_settings_are_good_and_make_no_client(self, place: Place, provider: Provider) -> None:
        assert provider.verify() == ()
        assert place.clients() == set()

    def test_wrong_credentials_are_told_without_them(self, place: Place, outgoing: Outgoing) -> None:
        said = place.provider(outgoing, wrong=True).verify()
        assert WRONG not in repr(said)
        # Only a registration would tell, and that might make a client.
        assert len(said) == (0 if place.kind == "rfc7591" else 1)

    @pytest.mark.parametrize("kind", ["throttle", "break", "cut", "huge", "redirect"])
    def test_a_provider_in_trouble_is_not_good(self, place: Place, provider: Provider, kind: str) -> None:
        place.front.fail(kind)
        assert len(provider.verify()) == 1
        assert provider.verify() == ()


class TestLife:
    def test_a_client_is_made_and_works(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        assert place.clients() == {made.client_id}
        assert place.works(made.client_id, secret_of(made))
        assert not place.works(made.client_id, WRONG)
        assert not made.adopted
        assert (made.registration is not None) is provider.capabilities.needs_registration

    def test_a_client_is_read_without_its_secret(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        if not provider.capabilities.reads:
            assert failure(lambda: provider.read(made.client_id, made.registration)).kind is FailureKind.REFUSED
        else:
            read = provider.read(made.client_id, made.registration)
            assert read is not None
            assert (read.client_id, read.client_secret) == (made.client_id, None)
        assert place.works(made.client_id, secret_of(made))

    def test_one_that_is_not_there_is_none(self, provider: Provider) -> None:
        if provider.capabilities.reads and not provider.capabilities.needs_registration:
            assert provider.read("unknown'/../client", None) is None

    def test_a_change_leaves_the_secret(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        changed = provider.update(made.client_id, made.registration, RENAMED)
        assert (changed.client_id, changed.client_secret) == (made.client_id, None)
        assert place.works(made.client_id, secret_of(made))
        if provider.capabilities.updates:
            there = place.front.asked[-1].body.decode() + "".join(one.body.decode() for one in place.front.asked)
            assert "Calm seas" in there

    def test_a_change_of_a_client_that_is_gone_is_told(self, provider: Provider) -> None:
        if provider.capabilities.updates and not provider.capabilities.needs_registration:
            assert failure(lambda: provider.update("gone", None, WANTED)).kind is FailureKind.UNKNOWN_CLIENT

    def test_a_new_secret_takes_the_place_of_the_old_one(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        if not provider.capabilities.new_secret:
            assert failure(lambda: provider.new_secret(made.client_id, made.registration)).kind is FailureKind.REFUSED
            assert place.works(made.client_id, secret_of(made))
            return
        renewed = provider.new_secret(made.client_id, made.registration)
        assert renewed.client_id == made.client_id
        assert place.works(made.client_id, secret_of(renewed))
        assert not place.works(made.client_id, secret_of(made))
        again = provider.new_secret(made.client_id, renewed.registration)
        assert place.works(made.client_id, secret_of(again))

    def test_several_secrets(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        if not provider.capabilities.multiple_credentials:
            for call in (
                lambda: provider.add_secret(made.client_id, made.registration, "second"),
                lambda: provider.delete_secret(made.client_id, made.registration, "any"),
            ):
                assert failure(call).kind is FailureKind.REFUSED
            return
        second = provider.add_secret(made.client_id, made.registration, "second")
        assert place.works(made.client_id, secret_of(made))
        assert place.works(made.client_id, secret_of(second))
        assert second.secret_id is not None
        for _ in range(2):  # once more is no error
            provider.delete_secret(made.client_id, made.registration, second.secret_id)
        assert not place.works(made.client_id, secret_of(second))
        assert place.works(made.client_id, secret_of(made))

    def test_one_secret_more_than_there_may_be_is_refused(self, provider: Provider) -> None:
        most = provider.capabilities.max_credentials
        if most is not None:
            made = provider.create(WANTED)
            for _ in range(most - 1):
                provider.add_secret(made.client_id, None, "more")
            assert failure(lambda: provider.add_secret(made.client_id, None, "more")).kind is FailureKind.REFUSED

    def test_a_new_secret_replaces_all_of_several(self, place: Place, provider: Provider) -> None:
        if (
            not (provider.capabilities.multiple_credentials and provider.capabilities.new_secret)
            or place.kind == "http"
        ):
            return  # what `new-secret` does to others is the bridge's own affair
        made = provider.create(WANTED)
        second = provider.add_secret(made.client_id, None, "second")
        renewed = provider.new_secret(made.client_id, None)
        assert place.works(made.client_id, secret_of(renewed))
        assert not place.works(made.client_id, secret_of(made))
        assert not place.works(made.client_id, secret_of(second))

    def test_a_client_is_deleted_and_once_more_is_no_error(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        provider.delete(made.client_id, made.registration)
        assert place.clients() == set()
        assert not place.works(made.client_id, secret_of(made))
        provider.delete(made.client_id, made.registration)

    @pytest.mark.parametrize(
        "wanted",
        [
            pytest.param({"client_name": "N" * 255, "application_description": "D" * 2000}, id="long"),
            pytest.param({"client_name": "<b>&\"'/?#é☂", "application_description": ""}, id="odd"),
            pytest.param(
                {
                    "grant_types": ("authorization_code",),
                    "redirect_uris": ("https://app.example.com/cb",),
                    "token_endpoint_auth_method": "client_secret_post",
                },
                id="interactive",
            ),
        ],
    )
    def test_whatever_an_application_is_called(
        self, place: Place, provider: Provider, wanted: dict[str, object]
    ) -> None:
        made = provider.create(msgspec.structs.replace(WANTED, **wanted))
        if provider.capabilities.updates:
            provider.update(made.client_id, made.registration, msgspec.structs.replace(WANTED, **wanted))
        if provider.capabilities.finds_by_reference:
            assert provider.create(msgspec.structs.replace(WANTED, **wanted)).client_id == made.client_id
        assert place.clients() == {made.client_id}


class TestReference:
    def test_a_repetition_makes_no_second_client(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        again = provider.create(WANTED)
        if not provider.capabilities.finds_by_reference:
            assert len(place.clients()) == 2
            return
        assert (again.client_id, again.adopted) == (made.client_id, True)
        assert place.clients() == {made.client_id}
        assert place.works(made.client_id, secret_of(again))
        assert not place.works(made.client_id, secret_of(made))

    def test_an_answer_that_never_came_is_made_good(self, place: Place, outgoing: Outgoing) -> None:
        provider = place.provider(outgoing)
        place.front.fail("cut", *place.steps[0])
        assert failure(lambda: provider.create(WANTED)).kind is FailureKind.AMBIGUOUS
        if provider.capabilities.finds_by_reference:
            (left,) = place.clients()
            again = provider.create(WANTED)
            assert (again.client_id, again.adopted) == (left, True)
            assert place.works(left, secret_of(again))

    def test_others_of_the_same_name_are_left_alone(self, place: Place, provider: Provider) -> None:
        others = [provider.create(msgspec.structs.replace(WANTED, reference=f"other-{i}")) for i in range(5)]
        mine = provider.create(WANTED)
        assert place.clients() == {mine.client_id, *(other.client_id for other in others)}
        for other in others:
            assert place.works(other.client_id, secret_of(other))
        if provider.capabilities.finds_by_reference:
            assert provider.create(WANTED).client_id == mine.client_id  # on whatever page of the list


class TestTrouble:
    @pytest.mark.parametrize("kind", ANSWERLESS)
    def test_a_creation_without_an_answer_is_ambiguous(self, place: Place, provider: Provider, kind: str) -> None:
        place.front.fail(kind, *place.steps[0])
        assert failure(lambda: provider.create(WANTED)).kind is FailureKind.AMBIGUOUS

    def test_so_is_one_whose_answer_holds_nothing(self, place: Place, provider: Provider) -> None:
        place.front.fail("empty", *place.steps[0])
        assert failure(lambda: provider.create(WANTED)).kind is FailureKind.AMBIGUOUS

    def test_so_is_one_that_is_not_answered_in_time(self, place: Place, outgoing: Outgoing) -> None:
        provider = place.provider(outgoing, timeout=0.4)
        place.front.fail("mute", *place.steps[0])
        assert failure(lambda: provider.create(WANTED)).kind is FailureKind.AMBIGUOUS

    @pytest.mark.parametrize(
        ("kind", "expected"), [("refuse", FailureKind.REFUSED), ("throttle", FailureKind.UNREACHABLE)]
    )
    def test_what_is_refused_at_any_step_leaves_nothing(
        self, place: Place, provider: Provider, kind: str, expected: FailureKind
    ) -> None:
        for step in place.steps:
            place.front.fail(kind, *step)
            failed = failure(lambda: provider.create(WANTED))
            assert failed.kind is expected, step
            assert failed.retry_after == (RETRY_AFTER if kind == "throttle" else None)
            assert place.clients() == set(), step

    @pytest.mark.parametrize("kind", ANSWERLESS)
    def test_a_later_step_without_an_answer_is_undone(self, place: Place, provider: Provider, kind: str) -> None:
        for step in place.steps[1:]:
            if (kind, step[0]) == ("cut", "GET"):
                continue  # asked again by itself
            place.front.fail(kind, *step)
            assert failure(lambda: provider.create(WANTED)).kind is FailureKind.UNREACHABLE, step
            assert place.clients() == set(), step

    @pytest.mark.parametrize("kind", ["break", "throttle"])
    def test_what_cannot_be_undone_is_ambiguous(self, place: Place, provider: Provider, kind: str) -> None:
        for step in place.steps[1:]:
            place.front.fail("refuse", *step)
            place.front.fail(kind, "DELETE")
            assert failure(lambda: provider.create(WANTED)).kind is FailureKind.AMBIGUOUS, step
            assert len(place.clients()) == 1
            assert provider.create(WANTED).adopted
            provider.delete(*place.clients(), None)

    def test_a_provider_that_is_not_there_has_done_nothing(self, place: Place, outgoing: Outgoing) -> None:
        issuer, place.issuer = place.issuer, "http://127.0.0.1:9/" + place.issuer.partition("/")[2]
        away = {
            name: "http://127.0.0.1:9"
            for name in ("token_endpoint", "graph_url", "dcr_base_url")
            if name in place.config
        }
        provider = place.provider(outgoing, **away)
        assert len(provider.verify()) == 1
        assert failure(lambda: provider.create(WANTED)).kind is FailureKind.UNREACHABLE
        place.issuer = issuer
        assert place.clients() == set()

    def test_one_that_may_not_be_asked_is_refused(self, place: Place) -> None:
        guarded = Outgoing()
        assert failure(lambda: place.provider(guarded).create(WANTED)).kind is FailureKind.REFUSED
        assert place.front.asked == []

    def test_wrong_credentials_make_nothing(self, place: Place, outgoing: Outgoing) -> None:
        failed = failure(lambda: place.provider(outgoing, wrong=True).create(WANTED))
        assert failed.kind is FailureKind.REFUSED
        assert WRONG not in failed.detail
        assert place.clients() == set()

    def test_a_redirect_is_not_followed(self, place: Place, provider: Provider) -> None:
        place.front.fail("redirect", *place.steps[0])
        assert failure(lambda: provider.create(WANTED)).kind is FailureKind.REFUSED
        assert not [one for one in place.front.asked if one.path == "/elsewhere"]

    def test_a_deletion_without_an_answer_can_be_repeated(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        place.front.fail("cut", "DELETE")
        assert failure(lambda: provider.delete(made.client_id, made.registration)).kind is FailureKind.AMBIGUOUS
        provider.delete(made.client_id, made.registration)
        assert place.clients() == set()

    def test_a_new_secret_without_an_answer_is_ambiguous(self, place: Place, provider: Provider) -> None:
        if not provider.capabilities.new_secret:
            return
        step = {
            "auth0": ("POST", "/rotate-secret"),
            "azureAd": ("POST", "/addPassword"),
            "curity": ("GET", "/oauth-registration/"),
            "okta": ("POST", "/lifecycle/newSecret"),
            "http": ("POST", "/new-secret"),
        }[place.kind]
        made = provider.create(WANTED)
        place.front.fail("cut", *step)
        assert failure(lambda: provider.new_secret(made.client_id, made.registration)).kind is FailureKind.AMBIGUOUS


class TestSecrets:
    def test_no_secret_is_in_what_is_logged(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        shown = repr(made) + repr(made.registration) + repr(provider)
        hidden = [secret_of(made), *place.secrets.values()]
        hidden += [made.registration.access_token] if made.registration else []
        assert not [secret for secret in hidden if secret in shown]

    def test_a_provider_that_quotes_what_was_sent_gives_nothing_away(self, place: Place, provider: Provider) -> None:
        for step in place.steps:
            place.front.fail("echo", *step)
            failed = failure(lambda: provider.create(WANTED))
            sent = [one.headers.get("authorization", "").partition(" ")[2] for one in place.front.asked]
            assert not [secret for secret in (*place.secrets.values(), *sent) if secret and secret in failed.detail]
            assert len(failed.detail) < 400

    def test_no_secret_is_in_an_address(self, place: Place, provider: Provider) -> None:
        provider.verify()
        made = provider.create(WANTED)
        hidden = [*place.secrets.values(), secret_of(made)]
        assert not [one.target for one in place.front.asked for secret in hidden if secret in one.target]


class TestEvents:
    def test_events_reach_those_who_have_hooks(self, place: Place, provider: Provider) -> None:
        made = provider.create(WANTED)
        before = len(place.front.asked)
        for kind in EventType:
            api = None if kind is EventType.UPDATE_APPLICATION else "api1"
            told = Event(event_type=kind, application_id=APPLICATION, application_name="Storm chasers", api_id=api)
            provider.event(made.client_id, told)
        heard = [one.json()["event_type"] for one in place.front.asked[before:]]
        assert heard == (list(EventType) if provider.capabilities.event_hooks else [])
