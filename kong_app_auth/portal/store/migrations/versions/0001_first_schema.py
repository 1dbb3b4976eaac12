"""First schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go forwards."""
    op.create_table(
        "apis",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("slug", sa.String(length=255), nullable=False),
        sa.Column("labels", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("attributes", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apis")),
        sa.UniqueConstraint("region", "name", "version", name=op.f("uq_apis_region_name_version")),
        sa.UniqueConstraint("region", "slug", name=op.f("uq_apis_region_slug")),
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.create_index("ix_attempts_created", ["created_at"], unique=False)
        batch_op.create_index("ix_attempts_subject_created", ["subject", "created_at"], unique=False)

    op.create_table(
        "audit_entries",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("actor_type", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("actor_name", sa.String(length=255), nullable=True),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("entity_type", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.String(length=80), nullable=True),
        sa.Column("before", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("after", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_entries")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_entries_at"), ["at"], unique=False)
        batch_op.create_index("ix_audit_entries_portal_id_number", ["portal_id", "number"], unique=False)
        batch_op.create_index("ix_audit_entries_region_number", ["region", "number"], unique=False)

    op.create_table(
        "audit_log_destinations",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("endpoint", sa.String(length=2048), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("all_portals", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log_destinations")),
        sa.UniqueConstraint("region", "name", name=op.f("uq_audit_log_destinations_region_name")),
    )
    op.create_table(
        "credential_uses",
        sa.Column("credential_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_credential_uses")),
    )
    op.create_table(
        "dcr_providers",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("display_name", sa.String(length=256), nullable=True),
        sa.Column("provider_type", sa.String(length=16), nullable=False),
        sa.Column("issuer", sa.String(length=256), nullable=False),
        sa.Column("config", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("secrets", sa.Text(), nullable=False),
        sa.Column("labels", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dcr_providers")),
        sa.UniqueConstraint("region", "name", name=op.f("uq_dcr_providers_region_name")),
    )
    op.create_table(
        "feed_changes",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("region", "seq", "ordinal", name=op.f("pk_feed_changes")),
    )
    with op.batch_alter_table("feed_changes", schema=None) as batch_op:
        batch_op.create_index("ix_feed_changes_region_at", ["region", "at"], unique=False)

    op.create_table(
        "feed_positions",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("oldest", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("region", name=op.f("pk_feed_positions")),
    )
    op.create_table(
        "gateway_nodes",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("behind", sa.BigInteger(), nullable=True),
        sa.Column("age", sa.BigInteger(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("region", "name", name=op.f("pk_gateway_nodes")),
    )
    op.create_table(
        "kong_gateways",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("on_unlink", sa.String(length=8), nullable=False),
        sa.Column("error", sa.String(length=64), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("drift", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("region", "name", name=op.f("pk_kong_gateways")),
    )
    op.create_table(
        "kong_services",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("service_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.PrimaryKeyConstraint("region", "service_id", name=op.f("pk_kong_services")),
    )
    op.create_table(
        "mail_messages",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("template", sa.String(length=64), nullable=False),
        sa.Column("recipient", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("problem", sa.String(length=255), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail_messages")),
    )
    with op.batch_alter_table("mail_messages", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mail_messages_next_attempt_at"), ["next_attempt_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_mail_messages_portal_id"), ["portal_id"], unique=False)

    op.create_table(
        "operator_tokens",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_operator_tokens_digest")),
    )
    op.create_table(
        "refusals",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=False),
        sa.Column("application_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("credential_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("api_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("service_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.PrimaryKeyConstraint("region", "request_id", name=op.f("pk_refusals")),
    )
    with op.batch_alter_table("refusals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_refusals_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_refusals_at"), ["at"], unique=False)

    op.create_table(
        "reports_positions",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("stream_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("region", name=op.f("pk_reports_positions")),
    )
    op.create_table(
        "usage",
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("application_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("api_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("outcome", sa.String(length=32), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("region", "minute", "application_id", "api_id", "outcome", name=op.f("pk_usage")),
    )
    with op.batch_alter_table("usage", schema=None) as batch_op:
        batch_op.create_index("ix_usage_application", ["application_id", "minute"], unique=False)

    op.create_table(
        "used_forms",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_used_forms")),
    )
    with op.batch_alter_table("used_forms", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_forms_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "api_specifications",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("api_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("validation_messages", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.ForeignKeyConstraint(["api_id"], ["apis.id"], name=op.f("fk_api_specifications_api_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_specifications")),
    )
    with op.batch_alter_table("api_specifications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_api_specifications_api_id"), ["api_id"], unique=False)

    op.create_table(
        "auth_strategies",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=256), nullable=False),
        sa.Column("display_name", sa.String(length=256), nullable=False),
        sa.Column("strategy_type", sa.String(length=16), nullable=False),
        sa.Column("config", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("dcr_provider_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("labels", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("principals_enabled", sa.Boolean(), nullable=False),
        sa.Column("built_in", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dcr_provider_id"], ["dcr_providers.id"], name=op.f("fk_auth_strategies_dcr_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_auth_strategies")),
        sa.UniqueConstraint("region", "name", name=op.f("uq_auth_strategies_region_name")),
    )
    with op.batch_alter_table("auth_strategies", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_auth_strategies_dcr_provider_id"), ["dcr_provider_id"], unique=False)

    op.create_table(
        "implementations",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("api_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("control_plane_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("service_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(["api_id"], ["apis.id"], name=op.f("fk_implementations_api_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_implementations")),
        sa.UniqueConstraint("api_id", name=op.f("uq_implementations_api_id")),
        sa.UniqueConstraint("region", "service_id", name=op.f("uq_implementations_region_service_id")),
    )
    op.create_table(
        "oauth_clients",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("dcr_provider_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("auth_strategy_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("application_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=True),
        sa.Column("registration", sa.Text(), nullable=True),
        sa.Column("owed", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("under_way", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("lease", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["dcr_provider_id"], ["dcr_providers.id"], name=op.f("fk_oauth_clients_dcr_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_oauth_clients")),
        sa.UniqueConstraint("application_id", name=op.f("uq_oauth_clients_application_id")),
        sa.UniqueConstraint("dcr_provider_id", "client_id", name=op.f("uq_oauth_clients_dcr_provider_id_client_id")),
    )
    with op.batch_alter_table("oauth_clients", schema=None) as batch_op:
        batch_op.create_index("ix_oauth_clients_due", ["region", "next_attempt_at"], unique=False)

    op.create_table(
        "operator_sessions",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("operator_token_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_token_id"],
            ["operator_tokens.id"],
            name=op.f("fk_operator_sessions_operator_token_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator_sessions")),
        sa.UniqueConstraint("digest", name=op.f("uq_operator_sessions_digest")),
    )
    with op.batch_alter_table("operator_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_operator_sessions_expires_at"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_operator_sessions_operator_token_id"), ["operator_token_id"], unique=False)

    op.create_table(
        "client_secrets",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("oauth_client_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=True),
        sa.Column("secret_id", sa.String(length=255), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("leaving", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["oauth_client_id"], ["oauth_clients.id"], name=op.f("fk_client_secrets_oauth_client_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_secrets")),
    )
    with op.batch_alter_table("client_secrets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_secrets_oauth_client_id"), ["oauth_client_id"], unique=False)

    op.create_table(
        "portals",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=512), nullable=True),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("default_domain", sa.String(length=253), nullable=False),
        sa.Column("custom_domain", sa.String(length=253), nullable=True),
        sa.Column("authentication_enabled", sa.Boolean(), nullable=False),
        sa.Column("rbac_enabled", sa.Boolean(), nullable=False),
        sa.Column("default_api_visibility", sa.String(length=8), nullable=False),
        sa.Column("default_page_visibility", sa.String(length=8), nullable=False),
        sa.Column("default_application_auth_strategy_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("auto_approve_developers", sa.Boolean(), nullable=False),
        sa.Column("auto_approve_applications", sa.Boolean(), nullable=False),
        sa.Column("notifications_developer_pii_visibility_enabled", sa.Boolean(), nullable=False),
        sa.Column("labels", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("accent", sa.String(length=7), nullable=True),
        sa.Column("logo_version", sa.String(length=16), nullable=True),
        sa.ForeignKeyConstraint(
            ["default_application_auth_strategy_id"],
            ["auth_strategies.id"],
            name=op.f("fk_portals_default_application_auth_strategy_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portals")),
        sa.UniqueConstraint("custom_domain", name=op.f("uq_portals_custom_domain")),
        sa.UniqueConstraint("default_domain", name=op.f("uq_portals_default_domain")),
        sa.UniqueConstraint("region", "name", name=op.f("uq_portals_region_name")),
        sa.UniqueConstraint("slug", name=op.f("uq_portals_slug")),
    )
    op.create_table(
        "audit_log_subscriptions",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("destination_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("off_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_response_code", sa.Integer(), nullable=True),
        sa.Column("last_response_message", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(
            ["destination_id"],
            ["audit_log_destinations.id"],
            name=op.f("fk_audit_log_subscriptions_destination_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["portal_id"], ["portals.id"], name=op.f("fk_audit_log_subscriptions_portal_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log_subscriptions")),
        sa.UniqueConstraint(
            "destination_id", "portal_id", name=op.f("uq_audit_log_subscriptions_destination_id_portal_id")
        ),
    )
    with op.batch_alter_table("audit_log_subscriptions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_log_subscriptions_portal_id"), ["portal_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_log_subscriptions_region"), ["region"], unique=False)

    op.create_table(
        "developers",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("email_key", sa.String(length=255), nullable=False),
        sa.Column("full_name", sa.String(length=256), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_developers_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_developers")),
        sa.UniqueConstraint("portal_id", "email_key", name=op.f("uq_developers_portal_id_email_key")),
    )
    with op.batch_alter_table("developers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_developers_status"), ["status"], unique=False)

    op.create_table(
        "identity_providers",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("config", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_identity_providers_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_providers")),
        sa.UniqueConstraint("portal_id", "type", name=op.f("uq_identity_providers_portal_id_type")),
    )
    op.create_table(
        "portal_audit_log_webhooks",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("audit_log_destination_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.ForeignKeyConstraint(
            ["audit_log_destination_id"],
            ["audit_log_destinations.id"],
            name=op.f("fk_portal_audit_log_webhooks_audit_log_destination_id"),
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_portal_audit_log_webhooks_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_audit_log_webhooks")),
        sa.UniqueConstraint("portal_id", name=op.f("uq_portal_audit_log_webhooks_portal_id")),
    )
    op.create_table(
        "portal_authentication",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("basic_auth_enabled", sa.Boolean(), nullable=False),
        sa.Column("konnect_mapping_enabled", sa.Boolean(), nullable=False),
        sa.Column("idp_mapping_enabled", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_portal_authentication_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_authentication")),
        sa.UniqueConstraint("portal_id", name=op.f("uq_portal_authentication_portal_id")),
    )
    op.create_table(
        "portal_logos",
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_portal_logos_portal_id")),
        sa.PrimaryKeyConstraint("portal_id", name=op.f("pk_portal_logos")),
    )
    op.create_table(
        "publications",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("api_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("auth_strategy_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("visibility", sa.String(length=8), nullable=False),
        sa.Column("auto_approve_registrations", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["api_id"], ["apis.id"], name=op.f("fk_publications_api_id")),
        sa.ForeignKeyConstraint(
            ["auth_strategy_id"], ["auth_strategies.id"], name=op.f("fk_publications_auth_strategy_id")
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_publications_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publications")),
        sa.UniqueConstraint("api_id", "portal_id", name=op.f("uq_publications_api_id_portal_id")),
    )
    with op.batch_alter_table("publications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_publications_auth_strategy_id"), ["auth_strategy_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_publications_portal_id"), ["portal_id"], unique=False)

    op.create_table(
        "registration_fields",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=1000), nullable=True),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_registration_fields_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registration_fields")),
        sa.UniqueConstraint("portal_id", "name", name=op.f("uq_registration_fields_portal_id_name")),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=250), nullable=False),
        sa.Column("description", sa.String(length=250), nullable=True),
        sa.Column("can_own_applications", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_teams_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_teams")),
        sa.UniqueConstraint("portal_id", "name", name=op.f("uq_teams_portal_id_name")),
    )
    op.create_table(
        "applications",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("redirect_uri", sa.String(length=2048), nullable=True),
        sa.Column("labels", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("scopes", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("granted_scopes", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.Column("client_id", sa.String(length=255), nullable=True),
        sa.Column("auth_strategy_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("developer_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.CheckConstraint("(developer_id IS NULL) <> (team_id IS NULL)", name=op.f("ck_applications_one_owner")),
        sa.ForeignKeyConstraint(
            ["auth_strategy_id"], ["auth_strategies.id"], name=op.f("fk_applications_auth_strategy_id")
        ),
        sa.ForeignKeyConstraint(["developer_id"], ["developers.id"], name=op.f("fk_applications_developer_id")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_applications_portal_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_applications_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_applications")),
        sa.UniqueConstraint("auth_strategy_id", "client_id", name=op.f("uq_applications_auth_strategy_id_client_id")),
    )
    with op.batch_alter_table("applications", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_applications_auth_strategy_id"), ["auth_strategy_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_applications_developer_id"), ["developer_id"], unique=False)
        batch_op.create_index("ix_applications_portal_created", ["portal_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_applications_portal_strategy", ["portal_id", "auth_strategy_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_applications_team_id"), ["team_id"], unique=False)

    op.create_table(
        "developer_identities",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("developer_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("issuer", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["developer_id"], ["developers.id"], name=op.f("fk_developer_identities_developer_id")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_developer_identities_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_developer_identities")),
        sa.UniqueConstraint(
            "portal_id", "issuer", "subject", name=op.f("uq_developer_identities_portal_id_issuer_subject")
        ),
    )
    with op.batch_alter_table("developer_identities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_developer_identities_developer_id"), ["developer_id"], unique=False)

    op.create_table(
        "developer_sessions",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("developer_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("access_digest", sa.String(length=64), nullable=False),
        sa.Column("access_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refresh_digest", sa.String(length=64), nullable=False),
        sa.Column("refresh_expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("previous_refresh_digest", sa.String(length=64), nullable=True),
        sa.Column("refreshed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("device", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["developer_id"], ["developers.id"], name=op.f("fk_developer_sessions_developer_id")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_developer_sessions_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_developer_sessions")),
        sa.UniqueConstraint("access_digest", name=op.f("uq_developer_sessions_access_digest")),
        sa.UniqueConstraint("refresh_digest", name=op.f("uq_developer_sessions_refresh_digest")),
    )
    with op.batch_alter_table("developer_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_developer_sessions_developer_id"), ["developer_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_developer_sessions_portal_id"), ["portal_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_developer_sessions_previous_refresh_digest"), ["previous_refresh_digest"], unique=False
        )

    op.create_table(
        "developer_tokens",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("developer_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["developer_id"], ["developers.id"], name=op.f("fk_developer_tokens_developer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_developer_tokens")),
        sa.UniqueConstraint("digest", name=op.f("uq_developer_tokens_digest")),
    )
    with op.batch_alter_table("developer_tokens", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_developer_tokens_developer_id"), ["developer_id"], unique=False)

    op.create_table(
        "team_group_mappings",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("identity_provider_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("group", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["identity_provider_id"],
            ["identity_providers.id"],
            name=op.f("fk_team_group_mappings_identity_provider_id"),
        ),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_team_group_mappings_portal_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_group_mappings_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_group_mappings")),
        sa.UniqueConstraint(
            "identity_provider_id",
            "team_id",
            "group",
            name=op.f("uq_team_group_mappings_identity_provider_id_team_id_group"),
        ),
    )
    with op.batch_alter_table("team_group_mappings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_team_group_mappings_portal_id"), ["portal_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_team_group_mappings_team_id"), ["team_id"], unique=False)

    op.create_table(
        "team_members",
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("developer_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["developer_id"], ["developers.id"], name=op.f("fk_team_members_developer_id")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_members_team_id")),
        sa.PrimaryKeyConstraint("team_id", "developer_id", name=op.f("pk_team_members")),
    )
    with op.batch_alter_table("team_members", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_team_members_developer_id"), ["developer_id"], unique=False)

    op.create_table(
        "team_roles",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("team_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("role_name", sa.String(length=64), nullable=False),
        sa.Column("entity_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("entity_type_name", sa.String(length=64), nullable=False),
        sa.Column("entity_region", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_roles_team_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_team_roles")),
        sa.UniqueConstraint(
            "team_id", "role_name", "entity_id", name=op.f("uq_team_roles_team_id_role_name_entity_id")
        ),
    )
    with op.batch_alter_table("team_roles", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_team_roles_entity_id"), ["entity_id"], unique=False)

    op.create_table(
        "credentials",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("region", sa.String(length=32), nullable=False),
        sa.Column("application_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warned_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_credentials_application_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
        sa.UniqueConstraint("region", "digest", name=op.f("uq_credentials_region_digest")),
    )
    with op.batch_alter_table("credentials", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_credentials_application_id"), ["application_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_credentials_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "registrations",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("portal_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("application_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("api_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("fields", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=False),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.Column("consumer", sa.JSON().with_variant(JSONB(), "postgresql"), nullable=True),
        sa.ForeignKeyConstraint(["api_id"], ["apis.id"], name=op.f("fk_registrations_api_id")),
        sa.ForeignKeyConstraint(["application_id"], ["applications.id"], name=op.f("fk_registrations_application_id")),
        sa.ForeignKeyConstraint(["portal_id"], ["portals.id"], name=op.f("fk_registrations_portal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_registrations")),
        sa.UniqueConstraint("application_id", "api_id", name=op.f("uq_registrations_application_id_api_id")),
    )
    with op.batch_alter_table("registrations", schema=None) as batch_op:
        batch_op.create_index("ix_registrations_api_created", ["api_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_registrations_portal_created", ["portal_id", "created_at", "id"], unique=False)
        batch_op.create_index("ix_registrations_status_created", ["status", "created_at", "id"], unique=False)


def downgrade() -> None:
    """Go backwards."""
    with op.batch_alter_table("registrations", schema=None) as batch_op:
        batch_op.drop_index("ix_registrations_status_created")
        batch_op.drop_index("ix_registrations_portal_created")
        batch_op.drop_index("ix_registrations_api_created")

    op.drop_table("registrations")
    with op.batch_alter_table("credentials", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_credentials_expires_at"))
        batch_op.drop_index(batch_op.f("ix_credentials_application_id"))

    op.drop_table("credentials")
    with op.batch_alter_table("team_roles", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_team_roles_entity_id"))

    op.drop_table("team_roles")
    with op.batch_alter_table("team_members", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_team_members_developer_id"))

    op.drop_table("team_members")
    with op.batch_alter_table("team_group_mappings", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_team_group_mappings_team_id"))
        batch_op.drop_index(batch_op.f("ix_team_group_mappings_portal_id"))

    op.drop_table("team_group_mappings")
    with op.batch_alter_table("developer_tokens", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_developer_tokens_developer_id"))

    op.drop_table("developer_tokens")
    with op.batch_alter_table("developer_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_developer_sessions_previous_refresh_digest"))
        batch_op.drop_index(batch_op.f("ix_developer_sessions_portal_id"))
        batch_op.drop_index(batch_op.f("ix_developer_sessions_developer_id"))

    op.drop_table("developer_sessions")
    with op.batch_alter_table("developer_identities", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_developer_identities_developer_id"))

    op.drop_table("developer_identities")
    with op.batch_alter_table("applications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_applications_team_id"))
        batch_op.drop_index("ix_applications_portal_strategy")
        batch_op.drop_index("ix_applications_portal_created")
        batch_op.drop_index(batch_op.f("ix_applications_developer_id"))
        batch_op.drop_index(batch_op.f("ix_applications_auth_strategy_id"))

    op.drop_table("applications")
    op.drop_table("teams")
    op.drop_table("registration_fields")
    with op.batch_alter_table("publications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_publications_portal_id"))
        batch_op.drop_index(batch_op.f("ix_publications_auth_strategy_id"))

    op.drop_table("publications")
    op.drop_table("portal_logos")
    op.drop_table("portal_authentication")
    op.drop_table("portal_audit_log_webhooks")
    op.drop_table("identity_providers")
    with op.batch_alter_table("developers", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_developers_status"))

    op.drop_table("developers")
    with op.batch_alter_table("audit_log_subscriptions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_audit_log_subscriptions_region"))
        batch_op.drop_index(batch_op.f("ix_audit_log_subscriptions_portal_id"))

    op.drop_table("audit_log_subscriptions")
    op.drop_table("portals")
    with op.batch_alter_table("client_secrets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_client_secrets_oauth_client_id"))

    op.drop_table("client_secrets")
    with op.batch_alter_table("operator_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_operator_sessions_operator_token_id"))
        batch_op.drop_index(batch_op.f("ix_operator_sessions_expires_at"))

    op.drop_table("operator_sessions")
    with op.batch_alter_table("oauth_clients", schema=None) as batch_op:
        batch_op.drop_index("ix_oauth_clients_due")

    op.drop_table("oauth_clients")
    op.drop_table("implementations")
    with op.batch_alter_table("auth_strategies", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_auth_strategies_dcr_provider_id"))

    op.drop_table("auth_strategies")
    with op.batch_alter_table("api_specifications", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_api_specifications_api_id"))

    op.drop_table("api_specifications")
    with op.batch_alter_table("used_forms", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_forms_expires_at"))

    op.drop_table("used_forms")
    with op.batch_alter_table("usage", schema=None) as batch_op:
        batch_op.drop_index("ix_usage_application")

    op.drop_table("usage")
    op.drop_table("reports_positions")
    with op.batch_alter_table("refusals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_refusals_at"))
        batch_op.drop_index(batch_op.f("ix_refusals_application_id"))

    op.drop_table("refusals")
    op.drop_table("operator_tokens")
    with op.batch_alter_table("mail_messages", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_mail_messages_portal_id"))
        batch_op.drop_index(batch_op.f("ix_mail_messages_next_attempt_at"))

    op.drop_table("mail_messages")
    op.drop_table("kong_services")
    op.drop_table("kong_gateways")
    op.drop_table("gateway_nodes")
    op.drop_table("feed_positions")
    with op.batch_alter_table("feed_changes", schema=None) as batch_op:
        batch_op.drop_index("ix_feed_changes_region_at")

    op.drop_table("feed_changes")
    op.drop_table("dcr_providers")
    op.drop_table("credential_uses")
    op.drop_table("audit_log_destinations")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_entries_region_number")
        batch_op.drop_index("ix_audit_entries_portal_id_number")
        batch_op.drop_index(batch_op.f("ix_audit_entries_at"))

    op.drop_table("audit_entries")
    with op.batch_alter_table("attempts", schema=None) as batch_op:
        batch_op.drop_index("ix_attempts_subject_created")
        batch_op.drop_index("ix_attempts_created")

    op.drop_table("attempts")
    op.drop_table("apis")
