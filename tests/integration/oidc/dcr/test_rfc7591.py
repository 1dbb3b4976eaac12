"""The adapter for RFC 7591 and 7592 against a certified provider, which rotates registration tokens."""

from collections.abc import Iterator

import pytest

from kong_app_auth.oidc.dcr.provider import ClientRequest, DcrFailed, FailureKind, Provider
from kong_app_auth.oidc.dcr.providers import provider_for
from kong_app_auth.oidc.outgoing import Outgoing
from tests.servers.identity_provider import IdentityProvider, identity_provider

WANTED = ClientRequest(reference="3f0c", client_name="Storm chasers")


@pytest.fixture(scope="module")
def idp(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IdentityProvider]:
    with identity_provider(tmp_path_factory.mktemp("provider")) as started:
        yield started


def _provider(idp: IdentityProvider, outgoing: Outgoing, token: str | None = None, timeout: float = 10) -> Provider:
    secrets = {"initial_access_token": token or idp.settings.initial_access_token}
    return provider_for("rfc7591", idp.issuer, {}, secrets, outgoing, timeout=timeout)


def test_a_client_is_made_read_changed_and_deleted(idp: IdentityProvider, outgoing: Outgoing) -> None:
    provider = _provider(idp, outgoing)
    assert provider.verify() == ()
    made = provider.create(WANTED)
    assert made.client_secret is not None
    assert made.registration is not None
    assert made.client_secret not in repr(made)
    assert made.registration.access_token not in repr(made.registration)
    client = {"client_id": made.client_id, "client_secret": made.client_secret}
    assert idp.token(client)

    changed = provider.update(made.client_id, made.registration, ClientRequest(reference="3f0c", client_name="Calm"))
    assert changed.registration is not None
    assert changed.registration.access_token != made.registration.access_token  # rotated
    assert idp.token(client)  # with the secret it had

    read = provider.read(made.client_id, changed.registration)
    assert read is not None
    assert read.client_id == made.client_id
    provider.delete(made.client_id, read.registration)
    provider.delete(made.client_id, read.registration)  # once more is no error
    assert provider.read(made.client_id, read.registration) is None


def test_a_wrong_initial_token_is_refused_and_quoted_nowhere(idp: IdentityProvider, outgoing: Outgoing) -> None:
    provider = _provider(idp, outgoing, "wrong-initial-token")
    assert provider.verify() == (), "only a registration would tell, and that would make a client"
    with pytest.raises(DcrFailed) as failed:
        provider.create(WANTED)
    assert failed.value.kind is FailureKind.REFUSED
    assert "wrong-initial-token" not in failed.value.detail


def test_a_registration_whose_answer_never_comes_is_ambiguous(idp: IdentityProvider, outgoing: Outgoing) -> None:
    provider = _provider(idp, outgoing, timeout=0.5)
    assert provider.verify() == ()  # the discovery document is known from now on
    with idp.hung(), pytest.raises(DcrFailed) as failed:
        provider.create(WANTED)
    assert failed.value.kind is FailureKind.AMBIGUOUS


def test_a_provider_that_is_down_has_made_nothing(idp: IdentityProvider, outgoing: Outgoing) -> None:
    idp.take_down()
    try:
        with pytest.raises(DcrFailed) as failed:
            _provider(idp, outgoing).create(WANTED)
        assert failed.value.kind is FailureKind.UNREACHABLE
    finally:
        idp.start()
