"""All operators' pages."""

from typing import Final

from fastapi import APIRouter

WAYS: Final = (("Approvals", "/operator"),)
"""The main ways through the pages: label and path."""


def routers() -> list[APIRouter]:
    """The routers of the pages. A path is matched by the first route that fits."""
    from kong_app_auth.portal.web.operators import home, sessions

    return [sessions.routes, home.routes]
