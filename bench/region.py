"""The region that is measured: a Valkey, filled by the registry's own writer, with a heartbeat every second."""

import random
import threading
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.plan import Plan
from kong_app_auth.domain.api_key import ALPHABET, PREFIX, RANDOM_DIGITS, checksum, digest
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Credential,
    CredentialState,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
)
from kong_app_auth.registry.changes import MAX_BATCH, Change, Put
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.keys import Table
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.writer import Refused, Writer

REGION = "eu"
KEY_LENGTH = len(PREFIX + REGION + "_") + RANDOM_DIGITS + 6
KEY_NAME = "apikey"
_EXPIRED_IN_A_HUNDRED = 2

T = TypeVar("T")


class Keys(msgspec.Struct, frozen=True):
    """Keys that the driver presents. `known` and `unknown` in files, one after another without separators."""

    active: list[str]
    expired: list[str]
    known: Path
    unknown: Path


class Filled(msgspec.Struct, frozen=True):
    """What was written, and how long the writer took."""

    credentials: int
    applications: int
    seconds: float
    service_id: str
    keys: Keys


class Region:
    """The writing side of one region."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = connect(url)
        self._writer = Writer(self._client, REGION, holder="bench", lease_seconds=30.0)
        self._lock = threading.Lock()
        self._random = random.Random(2025)
        self._credentials: dict[str, Credential] = {}

    def fill(self, plan: Plan, directory: Path, progress: Callable[[float], None]) -> Filled:
        """Begin an epoch and write it whole; the key files go into `directory`. `progress` is told the share done."""
        began = time.monotonic()
        portal, strategy, api, service, developer = (self._id() for _ in range(5))
        other_api = self._id()
        _must(self._writer.acquire() or None)
        _must(self._writer.begin_epoch())
        self._write(
            [
                Put(Table.APIS, api, Api(api, "Weather API", "v1", (Acceptance(portal, strategy),))),
                Put(Table.APIS, other_api, Api(other_api, "Tides API", "v2", (Acceptance(portal, strategy),))),
                Put(Table.SERVICES, service, Service(service, api)),
                Put(Table.STRATEGIES, strategy, Strategy(strategy, "keys", StrategyType.KEY_AUTH, (KEY_NAME,))),
            ]
        )
        applications = [self._id() for _ in range(plan.applications)]
        registrations = {api: RegistrationState.APPROVED, other_api: RegistrationState.PENDING}
        for some in _pieces(applications):
            self._write(
                [
                    Put(Table.APPLICATIONS, one, Application(one, portal, strategy, developer, False, registrations))
                    for one in some
                ]
            )
        active: list[str] = []
        expired: list[str] = []
        for numbers in _pieces(range(plan.credentials)):
            batch: list[Change] = []
            for number in numbers:
                application = applications[number % len(applications)]
                if number >= plan.keys:
                    batch.append(
                        Put(Table.CREDENTIALS, self._random.randbytes(32), Credential(self._id(), application))
                    )
                    continue
                key = self._key()
                is_expired = number % 100 < _EXPIRED_IN_A_HUNDRED
                (expired if is_expired else active).append(key)
                credential = Credential(self._id(), application, expires_at=1_600_000_000 if is_expired else None)
                self._credentials[key] = credential
                batch.append(Put(Table.CREDENTIALS, digest(key), credential))
            self._write(batch)
            progress((numbers[-1] + 1) / plan.credentials)
        _must(self._writer.complete())
        seconds = time.monotonic() - began
        self._random.shuffle(active)
        known, unknown = directory / "known.keys", directory / "unknown.keys"
        known.write_text("".join(active))
        unknown.write_text("".join(self._key() for _ in range(min(plan.keys, 50_000))))
        keys = Keys(active, expired, known, unknown)
        return Filled(plan.credentials, plan.applications, seconds, service, keys)

    def revoke(self, key: str) -> None:
        """Revoke a key, as one atomic write."""
        revoked = msgspec.structs.replace(self._credentials[key], state=CredentialState.REVOKED)
        with self._lock:
            self._write([Put(Table.CREDENTIALS, digest(key), revoked)])

    @contextmanager
    def beating(self) -> Generator[None]:
        """Send heartbeats meanwhile, as the sync daemon does."""
        done = threading.Event()

        def beat() -> None:
            while not done.wait(1.0):
                with self._lock:
                    _must(self._writer.heartbeat() is None or None)

        heart = threading.Thread(target=beat, name="heartbeat", daemon=True)
        heart.start()
        try:
            yield
        finally:
            done.set()
            heart.join()

    def close(self) -> None:
        """Let go of Valkey."""
        self._client.close()

    def _write(self, changes: list[Change]) -> None:
        _must(self._writer.write(changes))

    def _id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128)))

    def _key(self) -> str:
        """A key as `mint` makes them, but the same in every run."""
        body = f"{PREFIX}{REGION}_" + "".join(self._random.choices(ALPHABET, k=RANDOM_DIGITS))
        return body + checksum(body)


def _pieces(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), MAX_BATCH):
        yield items[first : first + MAX_BATCH]


def _must(answer: Position | Refused | bool | None) -> None:
    if answer is None or isinstance(answer, Refused):
        raise RuntimeError(f"the registry refused to be written: {answer}")
