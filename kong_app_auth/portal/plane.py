"""The control plane in one piece: database, clock and configuration, and the way in: a transaction.

A write is committed only together with what it means for the gateways (the feed) and with who did it (the audit log).
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.portal import oauth_clients
from kong_app_auth.portal.actors import Actor
from kong_app_auth.portal.audit import recording as audit
from kong_app_auth.portal.configuration import Configuration
from kong_app_auth.portal.errors import Conflict
from kong_app_auth.portal.feed import recording as feed
from kong_app_auth.portal.store.base import new_id
from kong_app_auth.portal.store.changes import ChangeLog
from kong_app_auth.portal.store.database import Database, Mode
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.vault import Vault

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


class ControlPlane:
    """What every process of the portal has one of. `clock` gives the time in UTC."""

    def __init__(self, database: Database, configuration: Configuration, clock: Clock = utc_now) -> None:
        self.database = database
        self.configuration = configuration
        self.clock = clock
        self.vault = Vault(configuration.vault_keys)
        self._feed_moved = threading.Condition()
        self._moves = 0

    @cached_property
    def outgoing(self) -> Outgoing:
        """The way to identity providers; never to be used inside a transaction. Raises OSError: see `Outgoing`."""
        settings = self.configuration
        return Outgoing(settings.idp_allow_private, settings.idp_allow_http_loopback, settings.idp_ca_file)

    def close(self) -> None:
        """Close what it has opened itself; the database is not its own."""
        if "outgoing" in self.__dict__:
            self.outgoing.close()

    @contextmanager
    def read(self, actor: Actor, *, mode: Mode = "read", request_id: str | None = None) -> Generator[Transaction]:
        """Look at things. Nothing is written."""
        session = self.database.session(mode, actor.region)
        try:
            yield self._transaction(session, actor, request_id)
        finally:
            session.close()  # ends the transaction; what was read can be looked at on

    @contextmanager
    def write(self, actor: Actor, *, request_id: str | None = None) -> Generator[Transaction]:
        """Change things: all of it at the end of the block, or nothing where the block raises.

        Raises Conflict where a record that must be the only one of its kind was made twice.
        """
        session = self.database.session("write", actor.region)
        try:
            tx = self._transaction(session, actor, request_id)
            log = ChangeLog(session, tx.now)
            yield tx
            session.flush()
            oauth_clients.follow(tx, log.entries())
            changes = log.entries()
            moved = feed.record(tx, changes)
            audit.record(tx, changes)
            session.commit()
        except IntegrityError as error:
            session.rollback()
            raise Conflict("It exists already, or something else depends on it") from error
        except BaseException:
            session.rollback()
            raise
        finally:
            session.close()
        if moved:
            self._tell()
        for callback in tx.callbacks:
            callback()

    def wait_for_feed(self, seen: int, timeout: float) -> int:
        """Wait until this process has committed something for the gateways since `seen`; give what to pass next.

        `timeout`: seconds. Other processes' commits are not seen here; who waits looks at the database too.
        """
        with self._feed_moved:
            self._feed_moved.wait_for(lambda: self._moves != seen, timeout)
            return self._moves

    def _tell(self) -> None:
        with self._feed_moved:
            self._moves += 1
            self._feed_moved.notify_all()

    def _transaction(self, session: Session, actor: Actor, request_id: str | None) -> Transaction:
        return Transaction(
            session,
            actor,
            now=self.clock(),
            request_id=request_id or new_id(),
            configuration=self.configuration,
            vault=self.vault,
        )
