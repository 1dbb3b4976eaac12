"""The access decision: a pure function from what was presented and what is known to `Allow` or `Deny`."""

import msgspec

from kong_app_auth.domain.freshness import Freshness
from kong_app_auth.domain.policy import ServicePolicy
from kong_app_auth.domain.reasons import Reason
from kong_app_auth.domain.records import Application, Client, Credential, CredentialState, RegistrationState


class Allow(msgspec.Struct, frozen=True):
    """The request may pass as this application, and as `consumer` of Kong, by id, where it has one."""

    application: Application
    credential: Credential | Client
    api_id: str
    consumer: str | None = None


class Deny(msgspec.Struct, frozen=True):
    """The request is refused. `application_id` is set where the credential was good, for the log."""

    reason: Reason
    application_id: str | None = None


_BY_REGISTRATION = {
    None: Reason.NOT_REGISTERED,
    RegistrationState.PENDING: Reason.REGISTRATION_PENDING,
    RegistrationState.REJECTED: Reason.REGISTRATION_REJECTED,
    RegistrationState.REVOKED: Reason.REGISTRATION_REVOKED,
}


def decide(
    policy: ServicePolicy,
    credential: Credential | None,
    application: Application | None,
    freshness: Freshness,
    now: float,
) -> Allow | Deny:
    """Decide on a key of plausible form.

    `credential` is what the registry holds under the key's digest and `application` what it holds under the
    credential's application id, each None if nothing. `now` is Unix time in seconds. The order is the order of what may
    be told: first whether anything is known at all, then whether the key is good, then what its application may do.
    """
    if freshness is Freshness.UNAVAILABLE:
        return Deny(Reason.REGISTRY_UNAVAILABLE)
    if credential is None or application is None or application.id != credential.application_id:
        unknown = freshness is Freshness.IN_TOUCH
        return Deny(Reason.UNKNOWN_CREDENTIAL if unknown else Reason.REGISTRY_UNAVAILABLE)
    if credential.state is not CredentialState.ACTIVE:
        return Deny(Reason.REVOKED_CREDENTIAL, application.id)
    if credential.expires_at is not None and credential.expires_at <= now:
        return Deny(Reason.EXPIRED_CREDENTIAL, application.id)
    return _of_application(policy, policy.keys_of, credential, application)


def decide_token(
    policy: ServicePolicy,
    client: Client | None,
    application: Application | None,
    freshness: Freshness,
) -> Allow | Deny:
    """Decide on a token that is good, or on a client whose secret is.

    `client` is what the registry holds for the client that it names, `application` what it holds under the client's
    application id, each None if nothing.
    """
    if freshness is Freshness.UNAVAILABLE:
        return Deny(Reason.REGISTRY_UNAVAILABLE)
    if client is None or application is None or application.id != client.application_id:
        unknown = freshness is Freshness.IN_TOUCH
        return Deny(Reason.UNKNOWN_APPLICATION if unknown else Reason.REGISTRY_UNAVAILABLE)
    if client.state is not CredentialState.ACTIVE:
        return Deny(Reason.REVOKED_CREDENTIAL, application.id)
    return _of_application(policy, policy.tokens_of, client, application)


def _of_application(
    policy: ServicePolicy,
    accepted: frozenset[tuple[str, str]],
    credential: Credential | Client,
    application: Application,
) -> Allow | Deny:
    """Decide on an application that has proved who it is, in a way that is accepted of these portals' strategies."""
    if application.developer_revoked:
        return Deny(Reason.DEVELOPER_REVOKED, application.id)
    if (application.portal_id, application.strategy_id) not in accepted:
        return Deny(Reason.WRONG_STRATEGY, application.id)
    state = application.registrations.get(policy.api_id)
    if state is not RegistrationState.APPROVED:
        return Deny(_BY_REGISTRATION.get(state, Reason.NOT_REGISTERED), application.id)
    return Allow(application, credential, policy.api_id, application.consumers.get(policy.api_id))
