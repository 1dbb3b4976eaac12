"""Which adapter speaks to which type of provider."""

from collections.abc import Mapping
from typing import Any

from kong_app_auth.oidc.dcr.auth0 import Auth0
from kong_app_auth.oidc.dcr.azure_ad import AzureAd, graph_of, token_endpoint_of
from kong_app_auth.oidc.dcr.bridge import HttpBridge
from kong_app_auth.oidc.dcr.calls import TIMEOUT_SECONDS, Calls
from kong_app_auth.oidc.dcr.curity import Curity
from kong_app_auth.oidc.dcr.okta import Okta
from kong_app_auth.oidc.dcr.provider import Provider
from kong_app_auth.oidc.dcr.rfc7591 import Metadata, Rfc7591
from kong_app_auth.oidc.outgoing import Outgoing


def provider_for(
    provider_type: str,
    issuer: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, str],
    outgoing: Outgoing,
    *,
    timeout: float = TIMEOUT_SECONDS,
) -> Provider:
    """Make the adapter of a provider's record: its `config` and its opened `secrets`; `timeout` in seconds, for a call.

    Nothing is asked of the provider yet. Keep the result as long as the record stays the same: it holds the access
    token that it got. Raises ValueError for a type that has no adapter, and for settings that are missing.

    `config` of azureAd may name `token_endpoint` and `graph_url`, of rfc7591 `registration_endpoint`; they are known
    otherwise from the issuer.
    """
    calls = Calls(outgoing, tuple(secrets.values()), timeout)
    try:
        return _adapter(provider_type, issuer, config, secrets, calls)
    except KeyError as missing:
        raise ValueError(f"a DCR provider of type {provider_type} needs the setting {missing.args[0]}") from None


def _adapter(
    provider_type: str, issuer: str, config: Mapping[str, Any], secrets: Mapping[str, str], calls: Calls
) -> Provider:
    match provider_type:
        case "auth0":
            return Auth0(
                calls,
                issuer,
                config["initial_client_id"],
                secrets["initial_client_secret"],
                audience=config.get("initial_client_audience"),
                use_developer_managed_scopes=bool(config.get("use_developer_managed_scopes")),
            )
        case "azureAd":
            return AzureAd(
                calls,
                issuer,
                config["initial_client_id"],
                secrets["initial_client_secret"],
                token_endpoint=config.get("token_endpoint") or token_endpoint_of(issuer),
                graph_url=config.get("graph_url") or graph_of(issuer),
            )
        case "curity":
            return Curity(calls, issuer, config["initial_client_id"], secrets["initial_client_secret"])
        case "okta":
            return Okta(calls, issuer, secrets["dcr_token"])
        case "http":
            return HttpBridge(
                calls,
                config["dcr_base_url"],
                secrets["api_key"],
                disable_event_hooks=bool(config.get("disable_event_hooks")),
                disable_refresh_secret=bool(config.get("disable_refresh_secret")),
                allow_multiple_credentials=bool(config.get("allow_multiple_credentials")),
            )
        case "rfc7591":
            endpoint = config.get("registration_endpoint")
            metadata = Metadata(calls, issuer)
            return Rfc7591(
                calls,
                metadata,
                lambda: endpoint or metadata.endpoint("registration_endpoint"),
                lambda: secrets.get("initial_access_token"),
            )
        case _:
            raise ValueError(f"there is no adapter for DCR providers of type {provider_type!r}")
