"""Mail that waits to be sent, and what was sent."""

from datetime import datetime

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import PERSONAL, SECRET, Entity, Id


class Message(Entity):
    """A mail. Its bodies may hold one-time links and are emptied once it is sent."""

    __tablename__ = "mail_messages"

    portal_id: Mapped[str | None] = mapped_column(Id, index=True)
    template: Mapped[str] = mapped_column(String(64))
    recipient: Mapped[str] = mapped_column(String(255), info=PERSONAL)
    subject: Mapped[str] = mapped_column(String(255))
    text: Mapped[str] = mapped_column(Text, info=SECRET)
    html: Mapped[str] = mapped_column(Text, info=SECRET)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(index=True)
    sent_at: Mapped[datetime | None]
    problem: Mapped[str | None] = mapped_column(String(255))
