"""The region's Redis for commands: a client by the settings, and errors in words."""

from collections.abc import Callable
from typing import Any, TypeVar

import typer

from kong_app_auth.settings import Settings

T = TypeVar("T")


def connect_to(settings: Settings) -> Any:
    """A client of the region's Redis."""
    from kong_app_auth.registry.connection import connect

    return connect(settings.redis_url.get_secret_value(), **redis_options(settings))


def redis_options(settings: Settings) -> dict[str, Any]:
    """Give what `registry.connection.connect` is told beside the URL."""
    password = settings.redis_password
    return {
        "username": settings.redis_username,
        "password": None if password is None else password.get_secret_value(),
        "ca_file": settings.redis_ca_file,
        "cert_file": settings.redis_cert_file,
        "key_file": settings.redis_key_file,
    }


def talking_to_redis(settings: Settings, ask: Callable[[Any], T]) -> T:
    """Give what `ask` gives of a client; where that fails, end the command with one line and exit code 1."""
    from kong_app_auth.registry.connection import CLIENT_ERRORS
    from kong_app_auth.registry.position import NewerSchema
    from kong_app_auth.registry.url import redact

    try:
        client = connect_to(settings)
        try:
            return ask(client)
        finally:
            client.close()
    except (NewerSchema, LookupError) as error:
        typer.echo(f"Error: {error.args[0]}", err=True)
    except CLIENT_ERRORS as error:
        url = redact(settings.redis_url.get_secret_value())
        typer.echo(f"Error: cannot read from {url}: {type(error).__name__}", err=True)
    raise typer.Exit(1)
