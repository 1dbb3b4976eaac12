"""Flags for the command line, made from the settings: each command names those that it uses."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import SecretStr

from kong_app_auth.settings import CONFIG_VARIABLE, ENV_PREFIX, Settings, SettingsError, flag, load

EXIT_WRONG_SETTING = 2
WITHOUT_FLAG = frozenset({"database_url", "feed_token", "feed_tokens", "redis_password", "smtp_password", "vault_keys"})
"""Settings that must not stand in a process's arguments, where everybody on the machine reads them."""

REDIS = ("redis_url", "redis_username", "redis_password", "redis_ca_file", "redis_cert_file", "redis_key_file")

Read = Callable[[], Settings]
"""Reads the settings again, from the same flags, environment and file."""

used_by: dict[str, list[str]] = {}
"""The commands that use each setting, for the documentation."""


def fail(line: str) -> NoReturn:
    """End the command for a wrong setting: one line and exit code 2."""
    typer.echo(f"Error: {line}", err=True)
    raise typer.Exit(EXIT_WRONG_SETTING)


def with_settings(command: str, *names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of the settings it names, and the settings as `settings` and `read_again`."""
    for name in names:
        used_by.setdefault(name, []).append(command)

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        own = [p for p in inspect.signature(function).parameters.values() if p.name not in {"settings", "read_again"}]
        flags = [_parameter(name) for name in names if name not in WITHOUT_FLAG]

        @wraps(function)
        def run(**arguments: Any) -> Any:
            file: Path | None = arguments.pop("config")
            given = {p.name: v for p in flags if (v := arguments.pop(p.name)) is not None}
            try:
                return function(settings=load(given, file), read_again=lambda: load(given, file), **arguments)
            except SettingsError as error:
                fail(str(error))

        signature = inspect.Signature([*own, *flags, _CONFIG])
        run.__signature__ = signature  # type: ignore[attr-defined]  # typer reads the flags from it
        run.__annotations__ = {name: p.annotation for name, p in signature.parameters.items()}
        return run

    return decorate


_CONFIG = inspect.Parameter(
    "config",
    inspect.Parameter.KEYWORD_ONLY,
    default=None,
    annotation=Annotated[
        Path | None, typer.Option("--config", envvar=CONFIG_VARIABLE, help="A YAML file of settings.", dir_okay=False)
    ],
)


def _parameter(name: str) -> inspect.Parameter:
    field = Settings.model_fields[name]
    default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    shown = f" [env: {ENV_PREFIX}{name.upper()}]" + ("" if default is None else f" [default: {shown_default(name)}]")
    option = typer.Option(flag(name), help=(field.description or "") + shown, show_default=False)
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, option]
    )


def shown_default(name: str) -> str:
    """A setting's default as people write it."""
    default = Settings.model_fields[name].default
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    return f"0{default:o}" if name == "socket_mode" else str(default)
