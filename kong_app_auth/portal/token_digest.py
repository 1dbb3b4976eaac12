"""What is kept of a random token: enough to know it again, not enough to show it."""

import hashlib


def digest_of(token: str) -> str:
    """Hex SHA-256 of a token. A random one of 122 bits and more needs neither salt nor a slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
