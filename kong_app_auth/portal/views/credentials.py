"""API keys and secrets of OAuth clients, as operators and developers see them."""

from datetime import datetime

from kong_app_auth.portal.contract.credentials import (
    ClientSecretView,
    CredentialUsageView,
    CredentialView,
    NewClientSecretView,
    NewCredentialView,
)
from kong_app_auth.portal.services.credentials import status
from kong_app_auth.portal.store.clients import ClientSecret
from kong_app_auth.portal.store.credentials import Credential


def credential_view(credential: Credential, now: datetime) -> CredentialView:
    """Give a key's record as it stands at `now`."""
    return CredentialView(
        type="api_key",
        id=credential.id,
        display_name=credential.display_name,
        status=status(credential, now),
        expires_at=credential.expires_at,
        created_at=credential.created_at,
    )


def new_credential_view(made: tuple[Credential, str], now: datetime) -> NewCredentialView:
    """Give a record with its key, which nobody can give again."""
    credential, key = made
    return NewCredentialView(
        type="api_key",
        id=credential.id,
        display_name=credential.display_name,
        credential=key,
        status=status(credential, now),
        expires_at=credential.expires_at,
        created_at=credential.created_at,
    )


def client_secret_view(secret: ClientSecret, client_id: str) -> ClientSecretView:
    """Give the record of a secret."""
    return ClientSecretView(
        type="client_secret",
        id=secret.id,
        display_name=secret.display_name,
        client_id=client_id,
        created_at=secret.created_at,
        expires_at=secret.expires_at,
    )


def new_client_secret_view(secret: ClientSecret, client_id: str, text: str) -> NewClientSecretView:
    """Give a record with its secret, which nobody can give again."""
    return NewClientSecretView(**client_secret_view(secret, client_id).model_dump(), client_secret=text)


def credential_usage_view(credential: Credential, last_used_at: datetime | None) -> CredentialUsageView:
    """Give the last use of a key."""
    return CredentialUsageView(credential_id=credential.id, last_used_at=last_used_at)
