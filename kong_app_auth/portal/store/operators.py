"""Operators: the bearer tokens that they call the API with."""

from datetime import datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import SECRET, Entity


class OperatorToken(Entity):
    """A bearer token, known by the hex SHA-256 of its text. `scope` is `read` or `write`; it sees one region only."""

    __tablename__ = "operator_tokens"

    name: Mapped[str] = mapped_column(String(255))
    digest: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    region: Mapped[str] = mapped_column(String(32))
    scope: Mapped[str] = mapped_column(String(8))
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
