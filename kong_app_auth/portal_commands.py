"""The commands of the control plane: `portal`, `token`, `vault-key`, `new-epoch`."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from kong_app_auth.options import Read, fail, with_settings
from kong_app_auth.settings import LogLevel, Settings, SettingsError

if TYPE_CHECKING:
    from kong_app_auth.portal.configuration import Configuration
    from kong_app_auth.portal.store.operators import OperatorToken
    from kong_app_auth.portal.transaction import Transaction

T = TypeVar("T")

PORTAL = (
    "database_url",
    "portal_listen",
    "portal_regions",
    "public_url",
    "portal_domain",
    "vault_keys",
    "feed_tokens",
    "gateway_urls",
    "trusted_proxies",
    "audit_retention",
    "smtp_host",
    "smtp_port",
    "smtp_security",
    "smtp_username",
    "smtp_password",
    "smtp_ca_file",
    "mail_from",
    "notify",
    "mailbox",
    "idp_allow_private",
    "idp_allow_http_loopback",
    "idp_ca_file",
    "log_level",
)
_DURATION = re.compile(r"(?P<number>[0-9]{1,5})(?P<unit>[hdwy])", re.ASCII)
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}

token = typer.Typer(help="Operators' tokens for the portal's API.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("portal")(portal)
    app.command("vault-key")(vault_key)
    app.command("new-epoch")(new_epoch)
    app.add_typer(token, name="token")


@with_settings("portal", *PORTAL)
def portal(*, settings: Settings, read_again: Read) -> None:  # noqa: ARG001
    """Serve the portal: the API of operators and developers, and the feed of the sync daemons."""
    _need_portal()
    from kong_app_auth.portal.process import run_portal
    from plugin_server import logs

    logs.configure(settings.log_level)
    if settings.portal_listen is None:
        fail("portal_listen is off: the portal needs an address")
    raise typer.Exit(
        run_portal(settings.database_url.get_secret_value(), configuration(settings), settings.portal_listen)
    )


def vault_key() -> None:
    """Make a key for `vault_keys`. It is stored nowhere."""
    _need_portal()
    from kong_app_auth.portal.vault import Vault

    typer.echo(Vault.new_key())


@with_settings("new-epoch", "database_url", "region", "vault_keys")
def new_epoch(*, settings: Settings, read_again: Read) -> None:  # noqa: ARG001
    """Have the region's sync daemons take everything anew. Needed after the database came back from a backup."""

    def begin(tx: "Transaction") -> str:
        from kong_app_auth.portal.feed import epoch

        return epoch.begin_new_epoch(tx)

    typer.echo(f"epoch: {_in_database(settings, begin)}")


@token.command("create")
@with_settings("token create", "database_url", "region", "vault_keys")
def token_create(
    *,
    settings: Settings,
    read_again: Read,  # noqa: ARG001
    name: Annotated[str, typer.Option(help="What the token is for.")],
    scope: Annotated[str, typer.Option(help="read or write.")] = "write",
    expires_in: Annotated[str, typer.Option(help="How long it is valid: 12h, 30d, 8w, 1y, or never.")] = "90d",
) -> None:
    """Make a token for an operator of one region, and show it once."""
    if scope not in ("read", "write"):
        fail("--scope is read or write")
    expires_at = _expiry(expires_in)

    def make(tx: "Transaction") -> str:
        from kong_app_auth.portal.services import operator_tokens

        return operator_tokens.create(tx, name, scope, expires_at)[1]

    typer.echo(_in_database(settings, make))


@token.command("list")
@with_settings("token list", "database_url", "region", "vault_keys")
def token_list(*, settings: Settings, read_again: Read) -> None:  # noqa: ARG001
    """List the tokens of a region, without the tokens themselves."""

    def lines(tx: "Transaction") -> list[str]:
        from kong_app_auth.portal.services import operator_tokens

        tokens = tx.session.scalars(operator_tokens.all_tokens(tx))
        return [f"{one.id}  {one.scope:5}  {_when(one.expires_at)}  {_state(one)}  {one.name}" for one in tokens]

    for line in _in_database(settings, lines):
        typer.echo(line)


@token.command("revoke")
@with_settings("token revoke", "database_url", "region", "vault_keys")
def token_revoke(
    *,
    settings: Settings,
    read_again: Read,  # noqa: ARG001
    token_id: Annotated[str, typer.Argument(help="The token's id, as `token list` shows it.")],
) -> None:
    """Revoke a token at once."""

    def revoke(tx: "Transaction") -> None:
        from kong_app_auth.portal.services import operator_tokens

        operator_tokens.revoke(tx, token_id)

    _in_database(settings, revoke)


def configuration(settings: Settings) -> "Configuration":
    """What the control plane needs to know, from the settings. Raises SettingsError."""
    from kong_app_auth.portal.configuration import Configuration, SmtpServer

    smtp = None
    if settings.smtp_host:
        smtp = SmtpServer(
            settings.smtp_host,
            settings.smtp_port,
            settings.smtp_security.value,
            settings.smtp_username,
            _secret(settings.smtp_password) or None,
            None if settings.smtp_ca_file is None else str(settings.smtp_ca_file),
        )
    return Configuration(
        regions=_list(settings.portal_regions),
        public_url=settings.public_url,
        portal_domain=settings.portal_domain,
        vault_keys=_list(_secret(settings.vault_keys)),
        feed_tokens=_pairs("feed_tokens", _secret(settings.feed_tokens)),
        smtp=smtp,
        mail_from=settings.mail_from,
        notify=_addresses(settings.notify),
        mailbox=settings.mailbox,
        gateway_urls=_pairs("gateway_urls", settings.gateway_urls),
        trusted_proxies=settings.trusted_proxies,
        audit_retention=timedelta(seconds=settings.audit_retention) if settings.audit_retention else None,
        idp_allow_private=settings.idp_allow_private,
        idp_allow_http_loopback=settings.idp_allow_http_loopback,
        idp_ca_file=settings.idp_ca_file,
    )


def _secret(value: Any) -> str:
    return "" if value is None else value.get_secret_value()


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _pairs(setting: str, text: str) -> dict[str, str]:
    """Read `eu=…,us=…`. What is wrong is told without the value: it may be a token."""
    pairs: dict[str, str] = {}
    for part in _list(text):
        region, separator, value = part.partition("=")
        if not separator or not value.strip():
            raise SettingsError(f"{setting} is written region=value, with commas between")
        pairs[region.strip()] = value.strip()
    return pairs


def _addresses(text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for part in _list(text):
        region, separator, address = part.partition("=")
        if not separator or "@" not in address:
            raise SettingsError("notify is written region=address, with commas between")
        found[region.strip()] = (*found.get(region.strip(), ()), address.strip())
    return found


def _expiry(text: str) -> datetime | None:
    if text == "never":
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        fail("--expires-in is written 12h, 30d, 8w, 1y, or never")
    return datetime.now(UTC) + timedelta(hours=int(found["number"]) * _HOURS[found["unit"]])


def _state(token: "OperatorToken") -> str:
    return "revoked" if token.revoked_at else "active "


def _when(moment: datetime | None) -> str:
    return "never               " if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _in_database(settings: Settings, work: "Callable[[Transaction], T]") -> T:
    """Do something in the portal's database as the operator of this machine."""
    _need_portal()
    from kong_app_auth.portal.actors import System
    from kong_app_auth.portal.errors import Refused
    from kong_app_auth.portal.process import opened
    from kong_app_auth.portal.store.database import WrongUrl
    from plugin_server import logs

    logs.configure(LogLevel.WARNING)
    region = settings.the_region()
    try:
        with (
            opened(settings.database_url.get_secret_value(), configuration(settings)) as plane,
            plane.write(System(region, name="command line")) as tx,
        ):
            return work(tx)
    except (Refused, WrongUrl) as error:
        fail(str(error))


def _need_portal() -> None:
    from importlib.util import find_spec

    if find_spec("sqlalchemy") is None or find_spec("fastapi") is None:
        fail("this needs more packages: pip install 'kong-app-auth[portal]'")
