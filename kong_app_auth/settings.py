"""All settings of all processes: from flags, the environment (`APP_AUTH_…`) or a file, in this order.

One flat list, so that a name means the same everywhere. The file is YAML with the names as they stand here.
`docs/configuration.md` has them as a table, which a test compares with this module.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, cast
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from kong_app_auth.domain.api_key import valid_region
from kong_app_auth.registry.url import parse

ENV_PREFIX = "APP_AUTH_"
CONFIG_VARIABLE = "APP_AUTH_CONFIG"
MAX_FILE = 1024 * 1024

_HOST = re.compile(r"(?=.{1,180}$)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})*", re.ASCII)
_OCTAL = re.compile(r"(?:0o)?[0-7]{1,5}", re.ASCII)


class SettingsError(Exception):
    """A setting is wrong; the text is one line that says which, and never its value."""


class SmtpSecurity(StrEnum):
    """How the connection to a mail server is protected."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _octal(value: object) -> object:
    """Read a mode written in octal, as chmod does. (YAML reads 0660 as octal by itself.)"""
    if isinstance(value, str):
        value = int(value, 8) if _OCTAL.fullmatch(value) else -1
    if isinstance(value, int) and not 0 <= value <= 0o777:
        raise ValueError("a mode is written in octal, from 0000 to 0777")
    return value


def _region(value: str) -> str:
    if not valid_region(value):
        raise ValueError("a region is named by lower-case letters, digits and inner hyphens, at most 32")
    return value


def _redis_url(value: SecretStr) -> SecretStr:
    try:
        parse(value.get_secret_value())
    except ValueError as error:
        # Not even redacted: where the @ is missing, a password looks like a port.
        raise ValueError(str(error).partition(": ")[0]) from None
    return value


def _regions(value: str) -> str:
    for name in value.split(","):
        _region(name.strip())
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("this is written http://host or https://host, without user, query and fragment")
    return value.rstrip("/")


def _domain(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("this is not a host name")
    return value.lower()


def _address(value: str) -> str | None:
    if value in ("", "off"):
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("an address is written host:port, or off")
    return value


def _off(value: object) -> object:
    """Read `off` as YAML does, where it is a truth value."""
    return "off" if value is False else value


Address = Annotated[str, BeforeValidator(_off), AfterValidator(_address)]


class Settings(BaseSettings):
    """Every setting. Times are seconds; an address is `host:port`, or `off`."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True, frozen=True
    )

    region: Annotated[str, AfterValidator(_region)] | None = Field(
        None, description="The region that this process serves, such as `eu`."
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="How much is logged: debug, info, warning or error.")

    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="The region's Redis or Valkey: `redis://`, `rediss://` (TLS), `unix://`, `redis+sentinel://` or "
        "`redis+cluster://`.",
    )
    redis_username: str | None = Field(None, description="The ACL user.")
    redis_password: SecretStr | None = Field(None, description="The password. There is no flag for it.")
    redis_ca_file: Path | None = Field(None, description="The certificates to trust, in PEM; default: the system's.")
    redis_cert_file: Path | None = Field(None, description="A client certificate, in PEM.")
    redis_key_file: Path | None = Field(None, description="The key of the client certificate, in PEM.")

    replica_directory: Path = Field(
        Path("/var/lib/kong-app-auth/replica"), description="Where this node keeps its copy of the registry."
    )
    replica_map_size: int = Field(
        4 * 1024**3, ge=2**20, le=2**44, description="The most bytes that the copy may grow to; not taken beforehand."
    )

    socket: Path = Field(Path("/run/kong-app-auth/app-auth.sock"), description="The Unix socket that Kong connects to.")
    socket_mode: Annotated[int, BeforeValidator(_octal)] = Field(
        0o660, description="The socket's permissions, in octal."
    )
    socket_group: str | None = Field(None, description="The group that owns the socket: one that Kong's user is in.")
    workers: int = Field(2, ge=1, le=256, description="Worker processes; as many as Kong has is a good number.")
    max_connections: int = Field(1024, ge=1, le=65536, description="Connections that one worker serves at a time.")
    deadline: float = Field(2.0, ge=0.05, le=60, description="The longest that a request may wait for its decision.")
    liveness: float = Field(
        2.0, ge=0.5, le=60, description="Silence after which a worker is taken for hung and killed."
    )
    metrics_address: Address | None = Field(
        "127.0.0.1:8190", description="Where the plugin server shows `/metrics` and `/ready`."
    )

    apps_file: Path = Field(Path("apps.yaml"), description="The declarative source of the registry.")
    portal_url: Annotated[str, AfterValidator(_http_url)] | None = Field(
        None, description="The portal that the sync daemon follows, instead of `apps_file`: `https://portal.example`."
    )
    portal_ca_file: Path | None = Field(None, description="The certificates to trust the portal by, in PEM.")
    feed_token: SecretStr | None = Field(
        None, description="The token of this region's feed, one of the portal's `feed_tokens`. There is no flag for it."
    )
    idp_allow_private: bool = Field(
        False, description="Let identity providers have private addresses and those of this machine."
    )
    idp_allow_http_loopback: bool = Field(
        False, description="Let an identity provider on this machine be spoken to by http. For trying out."
    )
    idp_ca_file: Path | None = Field(None, description="The certificates to trust identity providers by, in PEM.")
    issuer_credentials_file: Path | None = Field(
        None,
        description="The gateway's own client id and secret at each issuer, in JSON; needed for introspection only.",
    )

    kong_file: Path | None = Field(
        None, description="A YAML file of the Kongs on whose services the plugin is kept. Default: none is managed."
    )
    sync_metrics_address: Address | None = Field(None, description="Where the sync daemon shows its metrics.")

    database_url: SecretStr = Field(
        SecretStr("sqlite:////var/lib/kong-app-auth/portal.db"),
        description="The portal's database: `sqlite:///file` or `postgresql://user:password@host/name`.",
    )
    portal_listen: Address | None = Field("127.0.0.1:8080", description="Where the portal listens.")
    portal_regions: Annotated[str, AfterValidator(_regions)] = Field(
        "eu", description="The regions that the portal serves, with commas between."
    )
    public_url: Annotated[str, AfterValidator(_http_url)] = Field(
        "http://127.0.0.1:8080", description="Where browsers find the portal; mails link to it."
    )
    portal_domain: Annotated[str, AfterValidator(_domain)] = Field(
        "portal.localhost", description="Portals get `<slug>.<portal_domain>` as their default domain."
    )
    vault_keys: SecretStr | None = Field(
        None,
        description="The keys that secrets of others are sealed with, with commas between: the first seals, all open. "
        "`kong-app-auth vault-key` makes one. Default with SQLite: a file beside the database. No flag.",
    )
    feed_tokens: SecretStr | None = Field(
        None,
        description="A token per region, which the sync daemons know: `eu=…,us=…`. There is no flag for it.",
    )
    gateway_urls: str = Field(
        "", description="Where clients call each region's gateway: `eu=https://api.example`. Shown to developers."
    )
    trusted_proxies: int = Field(
        0, ge=0, le=16, description="Proxies in front of the portal whose `X-Forwarded-For` is believed."
    )
    audit_retention: int = Field(
        0, ge=0, le=10**9, description="How long entries of the audit log are kept, such as 31536000; 0: for ever."
    )
    smtp_host: str | None = Field(None, description="The server that mail goes through. None: mail goes to the log.")
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: SmtpSecurity = Field(SmtpSecurity.STARTTLS, description="`none`, `starttls` or `tls`.")
    smtp_username: str | None = Field(None, description="The user there.")
    smtp_password: SecretStr | None = Field(None, description="The password there. There is no flag for it.")
    smtp_ca_file: Path | None = Field(None, description="The certificates to trust the mail server by, in PEM.")
    notify: str = Field(
        "",
        description="The operators who are told of requests, by region or id of a portal: `eu=admin@example.com,…`.",
    )
    mail_from: str = Field("portal@localhost", description="The sender of mails.")
    mailbox: bool = Field(
        False, description="Show all mail on the page `/mailbox` of the portal. For trying out, never for production."
    )

    declarative_config: Path | None = Field(None, description="Kong's declarative file for the development gateway.")
    proxy_listen: Address | None = Field("127.0.0.1:8000", description="Where the development gateway proxies.")
    admin_listen: Address | None = Field("127.0.0.1:8001", description="Where its Admin API listens.")
    kong_admin_url: str | None = Field(None, description="The Admin API of a gateway that `doctor` shall look at.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags before the environment, the environment before the file."""
        return (init_settings, env_settings, InitSettingsSource(settings_cls, _File.contents))

    def the_region(self) -> str:
        """The region, where a process cannot do without."""
        if self.region is None:
            raise SettingsError(f"region is not set: use --region or {ENV_PREFIX}REGION")
        return self.region


class _File:
    """What the file says of which the settings are being read; there is no other way to hand it to the sources."""

    contents: ClassVar[dict[str, Any]] = {}


def load(flags: Mapping[str, Any], file: Path | None) -> Settings:
    """Read the settings. Raises SettingsError."""
    _File.contents = {} if file is None else _contents(file)
    try:
        return Settings(**flags)
    except ValidationError as error:
        raise SettingsError(_in_one_line(error, flags)) from None
    finally:
        _File.contents = {}


def _contents(file: Path) -> dict[str, Any]:
    """Read a file of settings. What is wrong is told by its place: the text there may be a password."""
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_FILE + 1)
        if len(data) > MAX_FILE:
            raise SettingsError(f"{file} is larger than the {MAX_FILE} bytes that a file of settings may have")
        found: object = yaml.safe_load(data.decode())
    except OSError as error:
        raise SettingsError(f"cannot read the settings in {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"cannot read the settings in {file}: it is not UTF-8") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it cannot be read at all"
        raise SettingsError(f"the settings in {file} are not YAML: {place}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise SettingsError(f"the settings in {file} are not names with values")
    return {str(name): value for name, value in cast("dict[object, object]", found).items()}


def flag(name: str) -> str:
    """The flag of a setting."""
    return "--" + name.replace("_", "-")


def _in_one_line(error: ValidationError, flags: Mapping[str, Any]) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    name = str(first["loc"][0]) if first["loc"] else "settings"
    if first["type"] == "extra_forbidden":
        return f"there is no setting {name}"
    given_by = flag(name) if name in flags else f"{ENV_PREFIX}{name.upper()} or the file"
    return f"{name} (by {given_by}): {first['msg'].removeprefix('Value error, ')}"
