"""All operators' pages."""

from typing import Final

from fastapi import APIRouter

from kong_app_auth.portal.web.words import words

WAYS: Final = (
    (words("Approvals"), "/operator"),
    (words("APIs"), "/operator/apis"),
    (words("Strategies"), "/operator/strategies"),
    (words("Portals"), "/operator/portals"),
    (words("Developers"), "/operator/developers"),
    (words("Teams"), "/operator/teams"),
    (words("Applications"), "/operator/applications"),
    (words("Region"), "/operator/region"),
    (words("Audit log"), "/operator/audit-log"),
)
"""The main ways through the pages: label and path."""


def routers() -> list[APIRouter]:
    """The routers of the pages. A path is matched by the first route that fits."""
    from kong_app_auth.portal.web.operators import (
        apis,
        applications,
        audit_log,
        dcr_providers,
        developers,
        home,
        portal_appearance,
        portal_domain,
        portal_sign_in,
        portals,
        publishing,
        region,
        registration_fields,
        registrations,
        sessions,
        strategies,
        teams,
    )

    return [
        sessions.routes,
        home.routes,
        registrations.routes,
        apis.routes,
        publishing.routes,
        strategies.routes,
        region.routes,
        audit_log.routes,
        dcr_providers.routes,
        portals.routes,
        portal_appearance.routes,
        portal_domain.routes,
        portal_sign_in.routes,
        registration_fields.routes,
        applications.routes,
        developers.routes,
        teams.routes,
    ]
