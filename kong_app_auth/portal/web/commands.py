"""Ready lines for a shell, with the gateway's real address where the portal knows it (the setting `gateway_urls`)."""

import re
from typing import Final

from kong_app_auth.portal.web.outline import Outline

_PLAIN: Final = re.compile(r"[A-Za-z0-9@%+=:,./_-]+", re.ASCII)


def quoted(text: str) -> str:
    """Quote a word for a POSIX shell."""
    return text if _PLAIN.fullmatch(text) else "'" + text.replace("'", "'\\''") + "'"


def with_key(gateway: str | None, spec: Outline | None, key_name: str, key: str) -> str | None:
    """A call with an API key; None where the gateway's address is not known."""
    if gateway is None:
        return None
    return f"curl {quoted(_address(gateway, spec))} \\\n  -H {quoted(f'{key_name}: {key}')}"


def with_token(gateway: str | None, spec: Outline | None) -> str | None:
    """A call with an access token that is in `$TOKEN`."""
    if gateway is None:
        return None
    return f'curl {quoted(_address(gateway, spec))} \\\n  -H "Authorization: Bearer $TOKEN"'


def token_request(token_endpoint: str, client_id: str, scopes: list[str]) -> str:
    """A client-credentials request (RFC 6749, section 4.4). The secret is read, so that it is in no history."""
    scope = f" \\\n  -d {quoted('scope=' + ' '.join(scopes))}" if scopes else ""
    user = quoted(client_id + ":") + '"$CLIENT_SECRET"'
    return (
        f"read -rs CLIENT_SECRET\ncurl -u {user} {quoted(token_endpoint)} \\\n  -d grant_type=client_credentials{scope}"
    )


def _address(gateway: str, spec: Outline | None) -> str:
    if spec is None:
        return gateway.rstrip("/") + "/"
    path = spec.base_path + spec.example_path
    return gateway.rstrip("/") + (path or "/")
