"""What the control plane needs to know about its surroundings. Read from the settings by the command line."""

from datetime import timedelta
from pathlib import Path

import msgspec


class SmtpServer(msgspec.Struct, frozen=True):
    """The server that mail goes through. `security`: `none`, `starttls` or `tls`; its certificate is always verified.

    `ca_file`: PEM file of the authorities to trust in place of the system's. `timeout`: seconds of silence.
    """

    host: str
    port: int
    security: str = "starttls"
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    timeout: float = 30.0

    def __repr__(self) -> str:
        """Leave the password out."""
        return f"SmtpServer({self.host}:{self.port}, {self.security})"


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything but the database's URL.

    `regions`: those that this portal serves. `public_url`: where browsers and mails find it, without a slash at the
    end. `portal_domain`: portals get `<slug>.<portal_domain>` as their default domain. `smtp` None: mail goes to the
    log and to the local mailbox page (`mailbox`). `gateway_urls`: region to the address that clients call the gateway
    at, for ready curl lines. `notify`: region, or id of a portal (which goes before its region), to the addresses of
    the operators who are told of requests. `trusted_proxies`: how many proxies in front add to `X-Forwarded-For`.
    `session_lifetime`: a session ends then, however often it was refreshed. `audit_retention` None: kept for
    ever. `idp_…`: where identity providers may be, and who vouches for them (`oidc.outgoing`).
    """

    regions: tuple[str, ...]
    public_url: str
    portal_domain: str = "portal.localhost"
    vault_keys: tuple[str, ...] = ()
    feed_tokens: dict[str, str] = {}
    smtp: SmtpServer | None = None
    mail_from: str = "portal@localhost"
    mailbox: bool = False
    notify: dict[str, tuple[str, ...]] = {}
    gateway_urls: dict[str, str] = {}
    trusted_proxies: int = 0
    access_lifetime: timedelta = timedelta(minutes=15)
    refresh_lifetime: timedelta = timedelta(days=14)
    session_lifetime: timedelta = timedelta(days=90)
    token_lifetime: timedelta = timedelta(hours=24)
    feed_retention: timedelta = timedelta(days=7)
    refusal_retention: timedelta = timedelta(days=7)
    usage_retention: timedelta = timedelta(days=90)
    audit_retention: timedelta | None = None
    mail_retention: timedelta = timedelta(days=30)
    expiry_warnings: tuple[timedelta, ...] = (timedelta(days=14),)
    idp_allow_private: bool = False
    idp_allow_http_loopback: bool = False
    idp_ca_file: Path | None = None
    max_applications: int = 500
    max_credentials: int = 20

    @property
    def secure(self) -> bool:
        """Whether browsers reach it by TLS: cookies are `Secure` then."""
        return self.public_url.startswith("https://")

    def __repr__(self) -> str:
        """Leave the keys and tokens out."""
        return f"Configuration({self.public_url}, regions={self.regions})"
