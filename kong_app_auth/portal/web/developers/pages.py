"""All developers' pages."""

from typing import Final

from fastapi import APIRouter

from kong_app_auth.portal.web.words import words

WAYS: Final = (
    (words("APIs"), "/apis"),
    (words("Applications"), "/applications"),
    (words("Teams"), "/teams"),
    (words("Usage"), "/usage"),
)
"""The main ways through the pages: label and path."""
PUBLIC: Final = ("/apis",)
"""Those of them that are there without signing in."""


def routers() -> list[APIRouter]:
    """The routers of the pages. A path is matched by the first route that fits."""
    from kong_app_auth.portal.web.developers import (
        access,
        accounts,
        appearance,
        applications,
        catalogue,
        clients,
        credentials,
        renewing,
        signing_in,
        teams,
        usage,
        why,
    )

    return [
        renewing.routes,
        signing_in.routes,
        accounts.routes,
        appearance.routes,
        catalogue.routes,
        access.routes,
        applications.routes,
        credentials.routes,
        clients.routes,
        teams.routes,
        usage.routes,
        why.routes,
    ]
