"""What the web pages keep: sessions of operators, and forms that were sent already."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import SECRET, Base, Entity, Id


class OperatorSession(Entity):
    """An operator at the pages: known by the hex SHA-256 of a cookie, good while the token is, until `expires_at`."""

    __tablename__ = "operator_sessions"

    operator_token_id: Mapped[str] = mapped_column(Id, ForeignKey("operator_tokens.id", ondelete="CASCADE"), index=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class UsedForm(Base):
    """A form that may be sent once, by the hex SHA-256 of its token. It is forgotten at `expires_at`."""

    __tablename__ = "used_forms"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
