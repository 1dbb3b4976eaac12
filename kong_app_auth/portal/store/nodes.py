"""The gateway nodes of a region, as they said last how far they are."""

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from kong_app_auth.portal.store.base import Base


class GatewayNode(Base):
    """A node, by the name that it gives itself.

    `seq`: the last change of the registry in its copy, None for no copy; `behind`: how many it lacked then, None where
    that cannot be said; `age`: seconds since the copy was known to be complete, when it said so at `reported_at`.
    """

    __tablename__ = "gateway_nodes"

    region: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    seq: Mapped[int | None] = mapped_column(BigInteger)
    behind: Mapped[int | None] = mapped_column(BigInteger)
    age: Mapped[int] = mapped_column(BigInteger)
    reported_at: Mapped[datetime]
