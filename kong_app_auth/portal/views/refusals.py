"""A refusal in words: what it means, and what can be done about it."""

from typing import Final

from kong_app_auth.domain.reasons import Reason
from kong_app_auth.portal.contract.usage import NamedReference, RefusalView
from kong_app_auth.portal.services.refusals import MESSAGES, Found

WORDS: Final[dict[Reason, tuple[str, str]]] = {
    Reason.NO_CREDENTIAL: (
        "The request carried no API key and no token.",
        "Send the key in the header that the API's auth strategy names. Look whether a proxy takes it away.",
    ),
    Reason.DUPLICATE_CREDENTIAL: (
        "The request carried more than one API key.",
        "Send one key, in one place: a header or, where that is allowed, a query argument.",
    ),
    Reason.MALFORMED_CREDENTIAL: (
        "The key is none of this region's: it was cut off, mistyped, or made for another region.",
        "Copy the whole key once more, and call the gateway of the region that it was made in.",
    ),
    Reason.UNKNOWN_CREDENTIAL: (
        "No application of this region has this key. It may have been deleted.",
        "Use a key that the application still has, or make a new one.",
    ),
    Reason.EXPIRED_CREDENTIAL: (
        "The key's time is over.",
        "Make a new key for the application and use that.",
    ),
    Reason.REVOKED_CREDENTIAL: (
        "The key was revoked.",
        "Make a new key for the application. If you did not revoke it, ask the portal's operator why it was.",
    ),
    Reason.INVALID_TOKEN: (
        "The token is not one that the API accepts: expired, meant for somebody else, or not signed by its issuer.",
        "Take a new token from the identity provider that the API names.",
    ),
    Reason.MALFORMED_REQUEST: (
        "The request could not be judged: too many headers, or credentials in several places.",
        "Send one credential in one place, and fewer headers.",
    ),
    Reason.WRONG_STRATEGY: (
        "The application's auth strategy is not one that this API accepts in the application's portal.",
        "Create another application with an auth strategy of this API, and register that one.",
    ),
    Reason.UNKNOWN_APPLICATION: (
        "The token is good, but no application of this region has the client it was given to.",
        "Create an application for this client in the portal, and register it with the API.",
    ),
    Reason.NOT_REGISTERED: (
        "The application is not registered with this API.",
        "Register the application with the API in the portal.",
    ),
    Reason.CONSUMER_NOT_FOUND: (
        "The registration is mapped to a consumer that the gateway does not have.",
        "Ask the portal's operator to create the consumer in Kong, or to take the mapping away.",
    ),
    Reason.REGISTRATION_PENDING: (
        "The application's registration with this API is not approved yet.",
        "Wait for the approval, or ask the portal's operator for it.",
    ),
    Reason.REGISTRATION_REJECTED: (
        "The application's registration with this API was rejected.",
        "Ask the portal's operator why.",
    ),
    Reason.REGISTRATION_REVOKED: (
        "The application's registration with this API was revoked.",
        "Ask the portal's operator why.",
    ),
    Reason.DEVELOPER_REVOKED: (
        "The developer who owns the application is not approved in the portal any more.",
        "Ask the portal's operator why.",
    ),
    Reason.INSUFFICIENT_SCOPE: (
        "The token lacks a scope that the API asks for.",
        "Ask the identity provider for a token with the scopes that the refusal named.",
    ),
    Reason.SERVICE_NOT_LINKED: (
        "No API is linked to the Gateway Service that was called.",
        "The operator links an API to the service, or takes the plugin off it.",
    ),
    Reason.REGISTRY_UNAVAILABLE: (
        "The gateway had no trustworthy copy of the region's registry, so nobody could be let in.",
        "Try again in a moment. If it stays so, the operator runs `kong-app-auth doctor` on the gateway.",
    ),
    Reason.PROVIDER_UNAVAILABLE: (
        "The identity provider did not answer, and without it the credential could not be judged.",
        "Try again in a moment, or call with a token (JWT) instead of the client's id and secret.",
    ),
    Reason.INTERNAL_ERROR: (
        "The gateway's plugin failed, so nobody could be let in.",
        "Try again. If it stays so, the operator looks for this request id in the plugin server's log.",
    ),
}
_BY_CODE: Final = {reason.code: words for reason, words in WORDS.items()}
_NEWER: Final = ("The gateway is of a newer version than this portal, and knows more reasons.", "Update the portal.")


def refusal_view(found: Found) -> RefusalView:
    """Give the answer to "why was I refused"."""
    refusal = found.refusal
    explanation, remedy = _BY_CODE.get(refusal.reason, _NEWER)
    return RefusalView(
        request_id=refusal.request_id,
        refused_at=refusal.at,
        reason=refusal.reason,
        status_code=refusal.status_code,
        message=MESSAGES.get(refusal.reason, ""),
        explanation=explanation,
        remedy=remedy,
        application=_named(refusal.application_id, None if found.application is None else found.application.name),
        api=_named(
            refusal.api_id, None if found.api is None else f"{found.api.name} {found.api.version or ''}".strip()
        ),
        credential_id=refusal.credential_id,
        service_id=refusal.service_id,
    )


def _named(record_id: str | None, name: str | None) -> NamedReference | None:
    return None if record_id is None else NamedReference(id=record_id, name=name)
