"""Portals (`/v3/portals`)."""

from typing import Annotated

from pydantic import Field, StringConstraints

from kong_app_auth.portal.contract.common import Input, Labels, LabelsUpdate, Moment, Output, UuidText, Visibility

Name = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class _Settings(Input):
    """What a portal can be told, at its making or later. What is not said keeps its value, or the default."""

    display_name: Name = ""
    description: Annotated[str, Field(max_length=512)] | None = None
    authentication_enabled: bool = True
    rbac_enabled: bool = False
    sipr_enabled: bool = False
    default_api_visibility: Visibility = "private"
    default_page_visibility: Visibility = "private"
    default_application_auth_strategy_id: UuidText | None = None
    auto_approve_developers: bool = False
    auto_approve_applications: bool = False
    labels: LabelsUpdate | None = None
    notifications_developer_pii_visibility_enabled: bool = False


class CreatePortal(_Settings):
    """The body of `create-portal`."""

    name: Name


class UpdatePortal(_Settings):
    """The body of `update-portal`."""

    name: Name = ""


class PortalView(Output):
    """A portal as operators see it."""

    id: str
    created_at: Moment
    updated_at: Moment
    name: str
    display_name: str
    description: str | None
    authentication_enabled: bool
    rbac_enabled: bool
    sipr_enabled: bool
    default_api_visibility: str
    default_page_visibility: str
    default_application_auth_strategy_id: str | None
    auto_approve_developers: bool
    auto_approve_applications: bool
    default_domain: str
    canonical_domain: str
    labels: Labels
    notifications_developer_pii_visibility_enabled: bool
