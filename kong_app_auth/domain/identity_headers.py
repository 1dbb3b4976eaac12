"""The headers that tell an upstream who calls, and the names that no client may send it."""

from collections.abc import Iterable

from kong_app_auth.domain.decision import Allow
from kong_app_auth.domain.records import Client

_OTHERS = (
    "x-consumer-id",
    "x-consumer-custom-id",
    "x-consumer-username",
    "x-consumer-groups",
    "x-authenticated-groups",
    "x-authenticated-scope",
    "x-anonymous-consumer",
)
_OURS = (
    "x-application-id",
    "x-developer-id",
    "x-portal-id",
    "x-auth-strategy-id",
    "x-credential-identifier",
    "x-app-auth-region",
)
NEVER_FROM_A_CLIENT = frozenset(_OURS + _OTHERS)


def identity_headers(allow: Allow, region: str) -> dict[str, str]:
    """Name the caller of an allowed request to the upstream: a key by its id, an OAuth client by its client id."""
    application, credential = allow.application, allow.credential
    headers = {
        "X-Application-ID": application.id,
        "X-Portal-ID": application.portal_id,
        "X-Auth-Strategy-ID": application.strategy_id,
        "X-Credential-Identifier": credential.client_id if isinstance(credential, Client) else credential.id,
        "X-App-Auth-Region": region,
    }
    if application.developer_id is not None:
        headers["X-Developer-ID"] = application.developer_id
    return headers


def spoofed(names: Iterable[str]) -> list[str]:
    """Of the lower-case header `names` that a client sent, those to be taken away.

    Kong lets underscores through, and CGI-like upstreams read `X_Consumer_ID` as `X-Consumer-ID`.
    """
    return [name for name in names if name.replace("_", "-") in NEVER_FROM_A_CLIENT]
