"""Secrets of others (client secrets, signing secrets) at rest: sealed with the keys of the settings.

Fernet (AES-128-CBC with HMAC-SHA-256) by the `cryptography` package. Several keys: the first seals, all open, so that a
key can be replaced without losing what it sealed.
"""

from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet


class Sealed(Exception):  # noqa: N818
    """What was sealed cannot be opened: the key it was sealed with is not among the settings' any more."""


class Vault:
    """Seals and opens short texts. `keys`: url-safe base64 of 32 bytes each; raises ValueError for anything else."""

    def __init__(self, keys: Sequence[str]) -> None:
        if not keys:
            raise ValueError("the vault needs a key")
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    @staticmethod
    def new_key() -> str:
        """Make a key."""
        return Fernet.generate_key().decode("ascii")

    def seal(self, text: str) -> str:
        """Encrypt `text`."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """Decrypt what `seal` gave. Raises Sealed."""
        try:
            return self._fernet.decrypt(sealed.encode("ascii")).decode()
        except InvalidToken:
            raise Sealed("a stored secret cannot be opened with the portal's keys") from None
