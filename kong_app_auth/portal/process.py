"""The process of a portal: the web server and what works in the background."""

import os
import secrets
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec
import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError

from kong_app_auth.domain.api_key import valid_region
from kong_app_auth.portal.application import application
from kong_app_auth.portal.background import Background
from kong_app_auth.portal.configuration import Configuration
from kong_app_auth.portal.jobs import jobs
from kong_app_auth.portal.metrics import Counted
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.database import Database, WrongUrl, parse
from kong_app_auth.portal.store.schema import NewerDatabase, migrate
from kong_app_auth.portal.vault import Vault
from kong_app_auth.portal.web.rendering import warm_up
from kong_app_auth.signals import noted_signals

EXIT_STOPPED: Final = 0
EXIT_FAILED: Final = 1
EXIT_WRONG_SETTING: Final = 2

KEEP_ALIVE: Final = 30
"""Seconds that a connection may be idle."""
MAX_HEADERS: Final = 32 * 1024
"""Bytes of a request's line and headers."""
MAX_CONNECTIONS: Final = 1000
GRACE: Final = 10
"""Seconds that requests may take to end after a signal."""

_log = structlog.get_logger()


class Unusable(WrongUrl):
    """The database cannot be used as it is, or not with these settings. The text holds nothing secret."""


@contextmanager
def opened(database_url: str, configuration: Configuration) -> Generator[ControlPlane]:
    """Open a control plane on the database at `database_url`, whose schema is brought up to date.

    Without keys for the vault an SQLite database has one in a file beside it. Raises WrongUrl (Unusable is one).
    """
    _check(configuration)
    url = parse(database_url)
    keys = configuration.vault_keys
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "")
        try:
            _make_private(file)
            keys = keys or (_key_beside(file),)
        except OSError as error:
            raise Unusable(f"the database cannot be made at {file}: {error.strerror}") from None
    if not keys:
        raise Unusable("a portal on PostgreSQL needs vault_keys: make one with `kong-app-auth vault-key`")
    database = Database(database_url)
    try:
        try:
            migrate(database)
        except NewerDatabase as newer:
            raise Unusable(str(newer)) from None
        except SQLAlchemyError as error:
            # The text of such an error may hold the URL with its password.
            raise Unusable(f"the database cannot be opened ({type(error).__name__})") from None
        try:
            plane = ControlPlane(database, msgspec.structs.replace(configuration, vault_keys=keys))
        except ValueError:
            raise Unusable("vault_keys are made by `kong-app-auth vault-key`: one of them is none") from None
        try:
            _ = plane.outgoing
        except OSError:
            raise Unusable("idp_ca_file holds no certificates that can be used") from None
        try:
            yield plane
        finally:
            plane.close()
    finally:
        database.close()


def run_portal(database_url: str, configuration: Configuration, listen: str) -> int:
    """Serve a portal at `listen` (host:port) until SIGTERM or SIGINT, and give the process's exit code.

    Requests that are under way at the signal are answered. Exit codes: 0 stopped, 1 the web server failed, 2 a setting
    is wrong. To be called from the main thread.
    """
    try:
        with _listening(listen) as listener, opened(database_url, configuration) as plane:
            return _serve(plane, listener, listen)
    except ValueError as wrong:
        _log.error("wrong setting", problem=str(wrong))
        return EXIT_WRONG_SETTING


def _serve(plane: ControlPlane, listener: socket.socket, listen: str) -> int:
    app = application(plane)
    warm_up()
    server = uvicorn.Server(
        uvicorn.Config(
            Counted(app, app.state.metrics),
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=GRACE,
            limit_concurrency=MAX_CONNECTIONS,
            h11_max_incomplete_event_size=MAX_HEADERS,
        )
    )
    background = Background(plane, jobs())
    serving = threading.Thread(target=server.run, args=([listener],), name="web", daemon=True)
    with noted_signals() as signalled:
        _log.info("portal starts", listen=listen, regions=plane.configuration.regions)
        background.start()
        serving.start()
        while not signalled and serving.is_alive():
            serving.join(0.1)
        failed = not signalled
        server.should_exit = True
        # Those who wait for changes are answered now, or they would hold up the end.
        app.state.feed.watch.close()
        serving.join()
        background.stop()
    _log.info("portal ends", because="the web server failed" if failed else "it was told to")
    return EXIT_FAILED if failed else EXIT_STOPPED


def _check(configuration: Configuration) -> None:
    if not configuration.regions:
        raise Unusable("a portal serves at least one region")
    for region in configuration.regions:
        if not valid_region(region):
            raise Unusable("a region is named by lower-case letters, digits and inner hyphens")
    for region, token in configuration.feed_tokens.items():
        if region not in configuration.regions:
            raise Unusable("feed_tokens name a region that the portal does not serve")
        if not 16 <= len(token) <= 256 or not (token.isascii() and token.isprintable()):
            raise Unusable("a token of the feed has 16 to 256 characters of visible ASCII")


@contextmanager
def _listening(listen: str) -> Generator[socket.socket]:
    host, _, port = listen.rpartition(":")
    host = host.strip("[]")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, int(port)), family=family, backlog=2048)
    except (OSError, ValueError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is written host:port"
        raise Unusable(f"the portal cannot listen at {listen}: {why}") from None
    # Accepted connections inherit it (asyncio sets it only where the listener names its protocol). Without it an answer
    # in two pieces waits 40 ms for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with listener:
        yield listener


def _make_private(file: Path) -> None:
    """Make the file of an SQLite database one of its owner alone; SQLite's other files are made like it."""
    file.resolve().parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if os.fstat(descriptor).st_mode & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _key_beside(file: Path) -> str:
    """Read the vault's key beside an SQLite database, or make it, at once and for good."""
    path = file.with_name(file.name + ".vault-key")
    if not path.exists():
        new = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        descriptor: Any = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w") as out:
                out.write(Vault.new_key() + "\n")
                out.flush()
                os.fsync(out.fileno())
            # Another process may have been quicker: then its key is the one.
            try:
                os.link(new, path)
                _log.info("vault key made", file=str(path))
            except FileExistsError:
                pass
        finally:
            new.unlink()
    return path.read_text("ascii").strip()
