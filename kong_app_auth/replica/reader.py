"""What a worker asks on every request: a service's policy, and whom a key belongs to. All answers come from this node.

Nothing is opened before the first question, so that a supervisor may make a Replica and fork. Whatever is wrong with
the copy (none yet, out of force, unreadable) is the answer "nothing", with a `last_heard` of 0.0: the decision is then
that the registry is unavailable.
"""

import contextlib
import math
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any, Final

import lmdb
import structlog

from kong_app_auth.domain.policy import ServicePolicy, policy_of
from kong_app_auth.domain.records import (
    Application,
    Client,
    Credential,
    Issuer,
    RegistrationState,
    Strategy,
    client_key,
)
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.records import (
    DECODERS,
    DIGEST_BYTES,
    MAX_ID_BYTES,
    CorruptRecord,
    decode_api,
    decode_application,
    decode_client,
    decode_credential,
    decode_issuer,
    decode_service,
    decode_strategy,
    encode,
    record_id,
)
from kong_app_auth.replica.layout import (
    MAX_DATABASES,
    MAX_READERS,
    META,
    STATE_KEY,
    State,
    data_file,
    decode_state,
    suspect_file,
)
from kong_app_auth.replica.status import StatusView

_SPARE_TRANSACTIONS: Final = 256
"""Finished transactions kept for the next question, with their reader's slot: at least one for each thread."""
_MAX_POLICIES: Final = 10_000
_MAX_KNOWN: Final = 2048
"""Answers remembered until the next change. Enough for the keys in use at a time, and little memory where all are new:
py-lmdb lets go of the interpreter at each step, and under load it takes long to get it back."""
_MAX_ISSUERS: Final = 1000
_OPEN_AGAIN_AFTER: Final = 0.1
_LOOK_AGAIN_AFTER: Final = 2.0
"""Seconds without news after which the directory may have been made anew, and this page be nobody's."""

_NOBODY: Final = "00000000-0000-4000-8000-000000000000"
_DECOY_CREDENTIAL: Final = encode(Credential(_NOBODY, _NOBODY, expires_at=1))
_DECOY_APPLICATION: Final = encode(
    Application(_NOBODY, _NOBODY, _NOBODY, _NOBODY, registrations={_NOBODY: RegistrationState.REVOKED})
)
"""What is decoded where nothing was found: an unknown key shall take as long as an expired or a revoked one."""

_DAMAGED: Final = (
    lmdb.CorruptedError,
    lmdb.PageNotFoundError,
    lmdb.InvalidError,
    lmdb.VersionMismatchError,
    lmdb.PanicError,
    lmdb.IncompatibleError,
    lmdb.BadTxnError,  # what the next question gets after a damaged page
)

_log = structlog.get_logger()


class _Remembered:
    """What was read of a copy between two changes. Made anew after each, so that nobody can add to it what is old."""

    def __init__(self, changes: int) -> None:
        self.changes = changes
        self.policies = dict[tuple[bool, str], ServicePolicy | None]()
        self.credentials = dict[bytes, tuple[Credential | None, Application | None]]()
        self.clients = dict[str, tuple[Client | None, Application | None]]()
        self.issuers = dict[str, Issuer | None]()


class _Copy:
    """One generation's file, opened for reading, with the policies as of its last transaction.

    It is never closed: a thread may be in the middle of it. When the last one lets go of it, LMDB closes it.
    """

    def __init__(self, directory: Path, word: int) -> None:
        self.word = word
        self.generation = word >> 1
        self.environment = lmdb.open(
            str(data_file(directory, self.generation)),
            map_size=0,  # as large as the follower made it
            subdir=False,
            readonly=True,
            create=False,
            max_dbs=MAX_DATABASES,
            max_readers=MAX_READERS,
            max_spare_txns=_SPARE_TRANSACTIONS,
        )
        self.begin = self.environment.begin
        databases = {table: self.environment.open_db(table.value.encode(), create=False) for table in Table}
        self.databases = databases
        self.meta = self.environment.open_db(META, create=False)
        self.apis, self.services = databases[Table.APIS], databases[Table.SERVICES]
        self.strategies = databases[Table.STRATEGIES]
        self.applications, self.credentials = databases[Table.APPLICATIONS], databases[Table.CREDENTIALS]
        self.clients, self.issuers = databases[Table.CLIENTS], databases[Table.ISSUERS]
        state = self.state()
        if state is None:
            raise lmdb.InvalidError("not a copy of this layout")
        self.region = state.region
        self._complaints: set[str] = set()
        self._remembered = _Remembered(1)

    def remembered(self, changes: int) -> "_Remembered":
        """What was read since the last change, which `changes` is the number of; see `StatusView.changes`."""
        remembered = self._remembered
        if remembered.changes != changes or changes & 1:
            remembered = self._remembered = _Remembered(changes)
        return remembered

    def policy(self, changes: int, by_service: bool, name: str) -> ServicePolicy | None:
        policies = self.remembered(changes).policies
        try:
            return policies[by_service, name]
        except KeyError:
            if len(policies) >= _MAX_POLICIES:
                policies.clear()
            with self.begin() as transaction:
                policy = policies[by_service, name] = self._drawn(transaction, by_service, name)
            return policy

    def _drawn(self, transaction: Any, by_service: bool, name: str) -> ServicePolicy | None:
        try:
            if by_service:
                service = transaction.get(_key(name), db=self.services)
                if service is None:
                    return None
                name = decode_service(service).api_id
            found = transaction.get(_key(name), db=self.apis)
            if found is None:
                return None
            api = decode_api(found)
            strategies = dict[str, Strategy]()
            for acceptance in api.accepts:
                strategy = transaction.get(_key(acceptance.strategy_id), db=self.strategies)
                if strategy is not None:
                    strategies[acceptance.strategy_id] = decode_strategy(strategy)
            return policy_of(api, strategies)
        except CorruptRecord as corrupt:
            self.complain(corrupt)
            return None

    def complain(self, corrupt: CorruptRecord) -> None:
        """Tell of a corrupt record, once for each table: a client could have the same one read a thousand times."""
        if str(corrupt) not in self._complaints:
            self._complaints.add(str(corrupt))
            _log.error("replica holds a corrupt record", error=str(corrupt))

    def state(self) -> State | None:
        with self.begin() as transaction:
            return decode_state(transaction.get(STATE_KEY, db=self.meta))


class Replica:
    """The copy in `directory`, for any number of threads of this process and of those that are forked from it."""

    def __init__(self, directory: Path | str) -> None:
        self._directory = Path(directory)
        self._lock = threading.Lock()
        self._status: StatusView | None = None
        self._copy: _Copy | None = None
        self._unreadable: int | None = None
        self._failed_word: int | None = None
        self._open_after = 0.0
        self._look_after = 0.0
        self._issuers = dict[str, tuple[bytes, Issuer]]()
        _replicas.add(self)

    def last_heard(self) -> float:
        """Unix time up to which the copy is known to be complete; 0.0 for never, not trusted, or unreadable."""
        for _ in range(2):  # a fresh copy may be put in force between the two looks
            copy, status = self._current(), self._status
            if copy is None or status is None:
                return 0.0
            heard = status.last_heard()
            if status.word() == copy.word:
                break
        else:
            return 0.0
        if not math.isfinite(heard):
            return 0.0
        if time.time() - heard > _LOOK_AGAIN_AFTER:
            self._look_again()
        return heard

    def policy_of_service(self, service_id: str) -> ServicePolicy | None:
        """Find the policy of a Kong service; None where no API of the region is linked to it."""
        return self._policy(True, service_id)

    def policy_of_api(self, api_id: str) -> ServicePolicy | None:
        """Find the policy of an API; None where the region has none of this id."""
        return self._policy(False, api_id)

    def credential(self, digest: bytes) -> tuple[Credential | None, Application | None]:
        """Find the credential under the SHA-256 of a key, and its application, both as of the same moment.

        The same is done whether or not anything is found. Raises ValueError for a digest that is not 32 bytes long.
        """
        if len(digest) != DIGEST_BYTES:
            raise ValueError("a digest has 32 bytes")
        copy, status = self._current(), self._status
        if copy is None or status is None:
            return None, None
        known = copy.remembered(status.changes()).credentials
        found_before = known.get(digest)
        if found_before is not None:
            return found_before
        try:
            transaction = copy.begin(copy.credentials)
            try:
                packed = transaction.get(digest)
                credential = decode_credential(_DECOY_CREDENTIAL if packed is None else packed)
                found = transaction.get(credential.application_id.encode("ascii"), db=copy.applications)
            finally:
                transaction.abort()
            application = decode_application(_DECOY_APPLICATION if found is None else found)
        except CorruptRecord as corrupt:
            copy.complain(corrupt)
            return None, None
        except lmdb.Error as error:
            self._failed(copy, error)
            return None, None
        if len(known) >= _MAX_KNOWN:
            known.clear()
        answer = known[digest] = (
            None if packed is None else credential,
            None if packed is None or found is None else application,
        )
        return answer

    def client(self, strategy_id: str, client_id: str) -> tuple[Client | None, Application | None]:
        """Find a strategy's OAuth client by its client id, and its application, both as of the same moment."""
        copy, status = self._current(), self._status
        if copy is None or status is None:
            return None, None
        known = copy.remembered(status.changes()).clients
        key = client_key(strategy_id, client_id)
        found_before = known.get(key)
        if found_before is not None:
            return found_before
        answer: tuple[Client | None, Application | None] = None, None
        try:
            with copy.begin(copy.clients) as transaction:
                packed = transaction.get(_key(key))
                if packed is not None:
                    client = decode_client(packed)
                    found = transaction.get(_key(client.application_id), db=copy.applications)
                    answer = client, None if found is None else decode_application(found)
        except CorruptRecord as corrupt:
            copy.complain(corrupt)
            return None, None
        except lmdb.Error as error:
            self._failed(copy, error)
            return None, None
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known[key] = answer
        return answer

    def issuer(self, issuer_id: str) -> Issuer | None:
        """Find an issuer's keys. It is the same object as long as the stored record is the same: hang caches on it."""
        copy, status = self._current(), self._status
        if copy is None or status is None:
            return None
        known = copy.remembered(status.changes()).issuers
        try:
            return known[issuer_id]
        except KeyError:
            pass
        try:
            with copy.begin(copy.issuers) as transaction:
                packed = transaction.get(_key(issuer_id))
        except lmdb.Error as error:
            self._failed(copy, error)
            return None
        issuer = known[issuer_id] = None if packed is None else self._decoded_issuer(copy, issuer_id, packed)
        return issuer

    def _decoded_issuer(self, copy: _Copy, issuer_id: str, packed: bytes) -> Issuer | None:
        before = self._issuers.get(issuer_id)
        if before is not None and before[0] == packed:
            return before[1]
        try:
            issuer = decode_issuer(packed)
        except CorruptRecord as corrupt:
            copy.complain(corrupt)
            return None
        if len(self._issuers) >= _MAX_ISSUERS:
            self._issuers.clear()
        self._issuers[issuer_id] = packed, issuer
        return issuer

    def changes(self) -> int:
        """A number that is another after every change of the copy; 0 where there is none."""
        copy, status = self._current(), self._status
        return 0 if copy is None or status is None else status.changes()

    def region(self) -> str | None:
        """Name the region of which this is a copy."""
        copy = self._current()
        return None if copy is None else copy.region

    def position(self) -> Position | None:
        """Say where the registry stood of which this is a copy."""
        state = self._state()
        return None if state is None else state.position

    def contents(self) -> tuple[Position, Contents] | None:
        """Read everything, as of one moment: to compare it, not on the path of a request. Raises CorruptRecord."""
        copy = self._current()
        if copy is None:
            return None
        contents = Contents()
        try:
            with copy.begin() as transaction:
                state = decode_state(transaction.get(STATE_KEY, db=copy.meta))
                for table, database in copy.databases.items():
                    records: dict[Any, Any] = getattr(contents, table.value)
                    for key, value in transaction.cursor(database):
                        records[record_id(table, key)] = DECODERS[table](value)
        except lmdb.Error as error:
            self._failed(copy, error)
            return None
        return None if state is None else (state.position, contents)

    def close(self) -> None:
        """Let go of the copy; the next question opens it again."""
        with self._lock:
            self._copy = self._status = None
            self._unreadable = self._failed_word = None

    def _state(self) -> State | None:
        copy = self._current()
        if copy is None:
            return None
        try:
            return copy.state()
        except lmdb.Error as error:
            self._failed(copy, error)
            return None

    def _policy(self, by_service: bool, name: str) -> ServicePolicy | None:
        copy, status = self._current(), self._status
        if copy is None or status is None:
            return None
        try:
            return copy.policy(status.changes(), by_service, name)
        except lmdb.Error as error:
            self._failed(copy, error)
            return None

    def _current(self) -> _Copy | None:
        status, copy = self._status, self._copy
        if status is not None and copy is not None and status.word() == copy.word:
            return copy
        return self._reopened()

    def _reopened(self) -> _Copy | None:
        """Open what is in force now; where that fails, not again at each of a thousand requests a second."""
        with self._lock:
            if self._status is None:
                self._status = StatusView.open(self._directory)
            word = 0 if self._status is None else self._status.word()
            if self._copy is not None and self._copy.word == word:
                return self._copy
            self._copy = None
            if self._status is None or not word & 1:
                self._look_again()
                return None
            if word == self._unreadable or (word == self._failed_word and time.monotonic() < self._open_after):
                return None
            try:
                copy = self._opened(word)
            except (lmdb.Error, OSError) as error:
                # It may have been replaced at this very moment. If not, the follower will find out or be told.
                self._give_up(word, error)
                return None
            self._copy = copy
            return copy

    def _opened(self, word: int) -> _Copy:
        attempts = 20
        while True:
            try:
                return _Copy(self._directory, word)
            except lmdb.Error as error:
                # py-lmdb opens no file twice, and knows files by their inode. The one of a copy that another thread is
                # just letting go of may have been given to this file already.
                attempts -= 1
                if type(error) is not lmdb.Error or "already open" not in str(error) or attempts == 0:
                    raise
                time.sleep(0.001)

    def _look_again(self) -> None:
        """Let go of a page that is no longer the one in the directory."""
        now = time.monotonic()
        if now < self._look_after:
            return
        self._look_after = now + _LOOK_AGAIN_AFTER
        status = self._status
        if status is not None and not status.in_place():
            self._status = self._copy = None

    def _failed(self, copy: _Copy, error: lmdb.Error) -> None:
        with self._lock:
            if self._copy is copy:
                self._copy = None
                self._give_up(copy.word, error)

    def _give_up(self, word: int, error: lmdb.Error | OSError) -> None:
        """Try a generation again after a while; where it is damaged, never, and leave a note for the follower."""
        self._failed_word = word
        self._open_after = time.monotonic() + _OPEN_AGAIN_AFTER
        _log.error("replica cannot be read", generation=word >> 1, error=f"{type(error).__name__}: {error}")
        if isinstance(error, _DAMAGED):
            self._unreadable = word
            with contextlib.suppress(OSError):
                suspect_file(self._directory, word >> 1).touch()

    def _forget(self) -> None:
        """Around a fork: LMDB's file must not be open then, and the lock may be held by a thread that is not forked."""
        self._lock = threading.Lock()
        self._status = self._copy = None


def _key(name: str) -> bytes:
    """The key of an id; what is too long or too short to be one is a key that nothing has."""
    raw = name.encode("utf-8", "surrogatepass")
    return raw if 0 < len(raw) <= MAX_ID_BYTES else b"\0"


_replicas: "weakref.WeakSet[Replica]" = weakref.WeakSet()


def _forget_all() -> None:
    for replica in list(_replicas):
        replica._forget()  # pyright: ignore[reportPrivateUsage] – the module's own class


os.register_at_fork(before=_forget_all, after_in_child=_forget_all)
