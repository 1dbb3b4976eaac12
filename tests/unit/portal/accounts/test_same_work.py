"""Whether somebody has an account is not to be told from how long an answer takes: the work behind it is the same."""

import time

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.api.even_time import even_time
from kong_app_auth.portal.services import passwords
from kong_app_auth.portal.store.developers import Developer
from tests.control_plane.settings import REGION
from tests.control_plane.sites import Site


class _Counting(PasswordHasher):
    """Hashes as ever, and says how often."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=64, parallelism=1)
        self.verified: list[str] = []

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:
        self.verified.append(str(hash).rpartition("$")[0].rpartition("$")[0])  # the parameters, without salt and hash
        return super().verify(hash, password)


def test_a_password_is_hashed_once_whoever_fails_to_sign_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.with_developer()
    site.register("no-password@example.com")
    counting = _Counting()
    monkeypatch.setattr(passwords, "_HASHER", counting)
    work = []
    for email, status, password in (
        ("dora@example.com", "approved", "a wrong password"),
        ("nobody@example.com", "approved", "a wrong password"),
        ("no-password@example.com", "approved", "a wrong password"),
        ("dora@example.com", "pending", "correct horse battery staple"),
        ("dora@example.com", "revoked", "correct horse battery staple"),
    ):
        with site.clients.plane.write(System(region=REGION)) as tx:
            for developer in tx.session.scalars(select(Developer)):
                developer.status = status
        counting.verified.clear()
        site.sign_in(email=email, password=password, expect=401)
        work.append(tuple(counting.verified))
    assert len(work[0]) == 1
    assert len(set(work)) == 1


def test_a_block_takes_a_whole_step_at_least_also_where_it_raises() -> None:
    step = 0.02
    for error in (None, LookupError):
        begun = time.monotonic()
        try:
            with even_time(step):
                if error is not None:
                    raise error
        except LookupError:
            pass
        assert time.monotonic() - begun >= step
