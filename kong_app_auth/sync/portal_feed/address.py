"""Where the portal is, and what to show it."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

_MAX_TOKEN = 256


class PortalAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The portal's URL, the token of the region and, for `https`, the authorities to trust (None: the usual ones)."""

    url: str
    token: str
    ca_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what is no address. Raises ValueError with one line that holds nothing secret."""
        try:
            parts = urlsplit(self.url)
            right = parts.port != 0
        except ValueError:
            raise ValueError("the portal's URL cannot be read") from None
        if not right or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("the portal's URL is written http://host:port or https://host:port")
        if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
            raise ValueError("the portal's URL holds no user, no query and no fragment")
        if not 0 < len(self.token) <= _MAX_TOKEN or not (self.token.isascii() and self.token.isprintable()):
            raise ValueError(f"the token of the portal's feed has 1 to {_MAX_TOKEN} characters of visible ASCII")
        if self.ca_file is not None and not self.ca_file.is_file():
            raise ValueError(f"there is no file {self.ca_file}")

    def __repr__(self) -> str:
        """Leave the token out."""
        return f"PortalAddress({self.url})"

    @property
    def in_clear(self) -> bool:
        """Whether the token crosses a network unencrypted."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")
