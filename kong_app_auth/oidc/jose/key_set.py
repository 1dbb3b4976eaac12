"""The keys of one issuer, and which of them must have signed a token."""

from functools import lru_cache
from typing import Final

import msgspec

from kong_app_auth.oidc.jose import jwk
from kong_app_auth.oidc.jose.header import Header
from kong_app_auth.oidc.jose.jwk import Key
from kong_app_auth.oidc.jose.outcomes import Failure, Fault, UnknownKey

MOST_ISSUERS: Final = 64
"""Issuers whose imported keys are remembered at once."""


class KeySet(msgspec.Struct, frozen=True):
    """`keys` can check signatures; `kids` also names those that cannot."""

    keys: tuple[Key, ...]
    kids: frozenset[str]

    def find(self, header: Header) -> Key | Failure | UnknownKey:
        """Find the one key for a token.

        A token with a `kid` is checked with the key of that name and no other. One without is checked only where a
        single key suits its algorithm: OpenID Connect Core 1.0, 10.1 asks for a `kid` where there are several, and so
        each token costs one signature check at most.
        """
        suitable = [key for key in self.keys if key.kid == header.kid or header.kid is None]
        suitable = [key for key in suitable if header.algorithm in key.algorithms]
        if len(suitable) == 1:
            return suitable[0]
        if suitable:
            return Failure(Fault.KEY_AMBIGUOUS)
        return Failure(Fault.KEY_NOT_SUITABLE) if header.kid in self.kids else UnknownKey(header.kid)


@lru_cache(maxsize=MOST_ISSUERS)
def import_keys(texts: tuple[str, ...]) -> KeySet:
    """Import an issuer's JWKs, each as JSON text; those that cannot check signatures are left out.

    Remembered by the texts themselves, so new keys count at once and there is nothing to empty.
    """
    keys = (jwk.import_key(text) for text in texts)
    kids = (jwk.name_of(text) for text in texts)
    return KeySet(
        keys=tuple(key for key in keys if key is not None), kids=frozenset(kid for kid in kids if kid is not None)
    )
