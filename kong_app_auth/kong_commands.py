"""The commands `kong-app-auth kong …`: what the sync daemon would do to the gateways, by hand."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kong_app_auth.options import REDIS, Read, fail, with_settings
from kong_app_auth.redis_access import talking_to_redis
from kong_app_auth.settings import Settings, SettingsError

if TYPE_CHECKING:
    from kong_app_auth.registry.connection import Client
    from kong_app_auth.registry.contents import Contents
    from kong_app_auth.sync.kong.gateways import Gateway
    from kong_app_auth.sync.kong.nodes import Nodes
    from kong_app_auth.sync.kong.wanted import Wanted

EXIT_FAILED = 1
EXIT_CHANGES = 3

_SOURCE = ("region", *REDIS, "apps_file", "kong_file")
_FROM_FILE = Annotated[
    bool, typer.Option("--from-file", help="Read what is wanted from `apps_file` instead of the region's Redis.")
]
_GATEWAY = Annotated[str | None, typer.Option("--gateway", help="Only the gateway of this name.")]

kong = typer.Typer(
    help="The plugin on the Gateway Services of Kong. Exit codes: 0 nothing is to be done, or all was done; 1 something"
    " failed; 2 a setting is wrong; 3 (plan, diff) there is something to do.",
    no_args_is_help=True,
)


@kong.command("plan")
@with_settings("kong plan", *_SOURCE)
def plan(*, settings: Settings, read_again: Read, from_file: _FROM_FILE = False, gateway: _GATEWAY = None) -> None:  # noqa: ARG001
    """Say what would be done to each gateway, and change nothing."""
    _preview(settings, gateway, from_file=from_file, as_diff=False)


@kong.command("diff")
@with_settings("kong diff", *_SOURCE)
def diff(*, settings: Settings, read_again: Read, from_file: _FROM_FILE = False, gateway: _GATEWAY = None) -> None:  # noqa: ARG001
    """Show what would be changed in our plugins as a unified diff, and change nothing."""
    _preview(settings, gateway, from_file=from_file, as_diff=True)


@kong.command("apply")
@with_settings("kong apply", *_SOURCE, "log_level")
def apply(*, settings: Settings, read_again: Read, from_file: _FROM_FILE = False, gateway: _GATEWAY = None) -> None:  # noqa: ARG001
    """Do once what a running sync daemon does all the time."""
    from kong_app_auth.sync.kong.keeping import keeping
    from kong_app_auth.sync.kong.outcome import State
    from kong_app_auth.sync.kong.states import NOT_FOUND
    from plugin_server import logs

    logs.configure(settings.log_level)
    gateways, wanted = _gateways(settings, gateway), _wanted(settings, from_file=from_file)
    failed = False
    absent = set(wanted.enforced)
    for one in gateways:
        with _nodes(one) as nodes:
            found = keeping(one, settings.the_region(), nodes).bring(wanted, lambda: True)
        typer.echo(f"{one.name}: {found.changed} changed")
        if found.failure is not None:
            typer.echo(f"{one.name}: {found.failure.message}")
            failed = True
        for service_id, outcome in found.services.items():
            if outcome.state is not State.ABSENT:
                absent.discard(service_id)
            if outcome.failure is not None:
                typer.echo(f"{one.name}: {service_id}: {outcome.failure.message}")
                failed = True
    if len(gateways) > 0 and gateway is None:
        for service_id in sorted(absent):
            typer.echo(f"{service_id}: {NOT_FOUND.message}")
            failed = True
    raise typer.Exit(EXIT_FAILED if failed else 0)


@kong.command("render")
@with_settings("kong render", *_SOURCE)
def render(
    *,
    settings: Settings,
    read_again: Read,  # noqa: ARG001
    from_file: _FROM_FILE = False,
    gateway: _GATEWAY = None,
    into: Annotated[
        Path | None,
        typer.Option(
            "--into", help="Give this declarative configuration with the plugins in it, instead of them alone."
        ),
    ] = None,
) -> None:
    """Print our plugins as a declarative configuration of Kong, for those who deploy by decK, or by a file.

    Without `kong_file` the plugins have no configuration beside the region.
    """
    from kong_app_auth.sync.kong.merge import MOST_BYTES, CannotMerge
    from kong_app_auth.sync.kong.plan import Policy
    from kong_app_auth.sync.kong.render import rendered, rendered_into

    policy = Policy(settings.the_region())
    if settings.kong_file is not None:
        gateways = _gateways(settings, gateway)
        policy = gateways[0].policy(settings.the_region())
        if any(one.config != gateways[0].config for one in gateways):
            fail("the gateways configure the plugin differently: name one with --gateway")
    elif gateway is not None:
        fail("--gateway needs kong_file, which names the gateways")
    wanted = _wanted(settings, from_file=from_file)
    if into is None:
        typer.echo(rendered(policy, wanted), nl=False)
        return
    try:
        with into.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        typer.echo(rendered_into(data, policy, wanted), nl=False)
    except OSError as error:
        fail(f"cannot read {into}: {error.strerror}")
    except CannotMerge as cannot:
        fail(f"{into} cannot be used: {cannot}")


def _preview(settings: Settings, gateway: str | None, *, from_file: bool, as_diff: bool) -> None:
    from kong_app_auth.sync.kong.failures import KongFailed
    from kong_app_auth.sync.kong.keeping import kong_of
    from kong_app_auth.sync.kong.merge import CannotMerge

    gateways, wanted = _gateways(settings, gateway), _wanted(settings, from_file=from_file)
    failed = changes = False
    for one in gateways:
        try:
            with _nodes(one) as nodes:
                nodes.current()
                previews = kong_of(one, settings.the_region(), nodes).preview(wanted)
        except (KongFailed, CannotMerge) as error:
            typer.echo(f"# {one.name}: {error}")
            failed = True
            continue
        for preview in previews:
            changes |= preview.changes
            failed |= bool(preview.problems)
            typer.echo(f"# {one.name} ({preview.url}): " + ("to be changed" if preview.changes else "as it should be"))
            for line in preview.diff() if as_diff else preview.lines():
                typer.echo(line)
    raise typer.Exit(EXIT_FAILED if failed else EXIT_CHANGES if changes else 0)


def _gateways(settings: Settings, name: str | None) -> "tuple[Gateway, ...]":
    from kong_app_auth.sync.kong.gateways import BadGateways, read_gateways

    if settings.kong_file is None:
        raise SettingsError("kong_file is not set: it names the gateways (docs/managed-plugin.md)")
    try:
        gateways = read_gateways(settings.kong_file)
    except BadGateways as bad:
        fail(str(bad))
    found = tuple(one for one in gateways if name in (None, one.name))
    if not found:
        fail(f"there is no gateway {name} in {settings.kong_file}")
    return found


@contextmanager
def _nodes(gateway: "Gateway") -> "Generator[Nodes]":
    from kong_app_auth.sync.kong.nodes import Nodes

    nodes = Nodes(gateway)
    try:
        yield nodes
    finally:
        nodes.close()


def _wanted(settings: Settings, *, from_file: bool) -> "Wanted":
    from kong_app_auth.sync.kong.wanted import wanted_of

    return wanted_of(_in_file(settings) if from_file else _in_redis(settings))


def _in_file(settings: Settings) -> "Contents":
    from kong_app_auth.sync.declarative.complaints import Refusal
    from kong_app_auth.sync.declarative.document import LARGEST, parse

    path = settings.apps_file
    try:
        with path.open("rb") as file:
            read = parse(file.read(LARGEST + 1), str(path), settings.the_region())
    except OSError as error:
        fail(f"cannot read {path}: {error.strerror}")
    if isinstance(read, Refusal):
        for complaint in read.complaints:
            typer.echo(str(complaint), err=True)
        fail(f"{path} is refused")
    return read


def _in_redis(settings: Settings) -> "Contents":
    from kong_app_auth.registry.keys import Keys
    from kong_app_auth.registry.writer import read_contents

    region = settings.the_region()

    def read(client: "Client") -> "Contents":
        found = read_contents(client, Keys(region))
        if found is None:
            raise LookupError(f"there is no complete registry of the region {region} in this Redis")
        return found[1]

    return talking_to_redis(settings, read)
