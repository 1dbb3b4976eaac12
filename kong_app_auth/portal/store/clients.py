"""OAuth clients at DCR providers, and their secrets: which there are, never what they are."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from kong_app_auth.portal.store.base import SECRET, Entity, Id


class OAuthClient(Entity):
    """A client at a DCR provider: from before the provider is asked for it until it is known to be gone.

    It is there before its application is, and after: `application_id` is no foreign key for that reason. A client whose
    application is not there is to be deleted at the provider. `client_id` None: the provider was asked for it and has
    not answered, as far as is known. `registration`: how the provider lets us manage it, sealed by the vault.

    `owed` names what the provider may have wrong: `update` (the application's own data), `event:<API id>` (whether it
    is registered with that API), `secret:<ClientSecret id>` (a secret that is to go). While it is being said it is in
    `under_way` instead, so that what changes meanwhile is owed anew. `next_attempt_at`: when that is put right, None
    for nothing to do. `lease` is held by the one who talks to the provider about this client.
    """

    __tablename__ = "oauth_clients"
    __table_args__ = (
        UniqueConstraint("application_id"),
        UniqueConstraint("dcr_provider_id", "client_id"),
        Index("ix_oauth_clients_due", "region", "next_attempt_at"),
    )

    region: Mapped[str] = mapped_column(String(32))
    dcr_provider_id: Mapped[str] = mapped_column(Id, ForeignKey("dcr_providers.id"))
    auth_strategy_id: Mapped[str] = mapped_column(Id)
    portal_id: Mapped[str] = mapped_column(Id)
    application_id: Mapped[str] = mapped_column(Id)
    name: Mapped[str] = mapped_column(String(255))
    client_id: Mapped[str | None] = mapped_column(String(255))
    registration: Mapped[str | None] = mapped_column(Text, info=SECRET)
    owed: Mapped[list[str]] = mapped_column(default=list)
    under_way: Mapped[list[str]] = mapped_column(default=list)
    lease: Mapped[str | None] = mapped_column(Id)
    leased_until: Mapped[datetime | None]
    next_attempt_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str | None] = mapped_column(String(255))

    secrets: Mapped[list["ClientSecret"]] = relationship(cascade="all, delete-orphan", back_populates="client")


class ClientSecret(Entity):
    """A secret of a client. `secret_id` is what the provider calls it; None where it has no name for it.

    `leaving`: it is to be deleted at the provider, and is shown no more.
    """

    __tablename__ = "client_secrets"

    oauth_client_id: Mapped[str] = mapped_column(Id, ForeignKey("oauth_clients.id"), index=True)
    display_name: Mapped[str | None] = mapped_column(String(255))
    secret_id: Mapped[str | None] = mapped_column(String(255))
    expires_at: Mapped[datetime | None]
    leaving: Mapped[bool] = mapped_column(default=False)

    client: Mapped[OAuthClient] = relationship(back_populates="secrets")
