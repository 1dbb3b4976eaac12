"""From the record of a DCR provider to something that can be asked.

What was made is kept as long as the record stays as it is, for it holds the access token that it got.
"""

import json
import threading
import weakref
from typing import Final

import msgspec

from kong_app_auth.oidc.dcr.provider import DcrFailed, FailureKind, Provider
from kong_app_auth.oidc.dcr.providers import provider_for
from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.portal.store.strategies import DcrProvider
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.vault import Sealed


class _Known(msgspec.Struct, frozen=True):
    settings: tuple[str, ...]
    provider: Provider


_known: Final[weakref.WeakKeyDictionary[Outgoing, dict[str, _Known]]] = weakref.WeakKeyDictionary()
_lock: Final = threading.Lock()


def connect(tx: Transaction, outgoing: Outgoing, record: DcrProvider) -> Provider:
    """Give what talks to a provider. Nothing is asked of it yet. Raises DcrFailed where its record cannot be used."""
    settings = (record.provider_type, record.issuer, json.dumps(record.config, sort_keys=True), record.secrets)
    with _lock:
        known = _known.setdefault(outgoing, {}).get(record.id)
        if known is not None and known.settings == settings:
            return known.provider
    try:
        secrets = json.loads(tx.vault.open(record.secrets))
        provider = provider_for(record.provider_type, record.issuer, record.config, secrets, outgoing)
    except Sealed:
        raise DcrFailed(
            "the secrets of the provider cannot be opened with the portal's vault keys", FailureKind.UNREACHABLE
        ) from None
    except ValueError as error:
        raise DcrFailed(f"the provider's record cannot be used: {error}", FailureKind.REFUSED) from None
    with _lock:
        _known.setdefault(outgoing, {})[record.id] = _Known(settings, provider)
    return provider
