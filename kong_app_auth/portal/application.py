"""The web application: everything that the portal serves, in one ASGI app."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from kong_app_auth.portal.api.addresses import PortalPaths
from kong_app_auth.portal.api.problems import install
from kong_app_auth.portal.api.request_id import RequestId
from kong_app_auth.portal.plane import ControlPlane

MAX_BODY = 1024 * 1024
"""Bytes of a request's body."""


def application(plane: ControlPlane) -> FastAPI:
    """Make the application that serves `plane`."""
    app = FastAPI(
        title="kong-app-auth portal",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=MAX_BODY,
    )
    app.state.plane = plane
    app.state.routes = []
    for each in routers():
        app.include_router(each)
        app.state.routes += [route for route in each.routes if isinstance(route, APIRoute)]
    app.add_middleware(PortalPaths)
    app.add_middleware(RequestId)
    install(app)
    return app


def routers() -> list[APIRouter]:
    """All routes, by subject."""
    from kong_app_auth.portal.api.operators import (
        dcr_providers,
        developers,
        portals,
        strategies,
        teams,
    )

    return [
        portals.routes,
        dcr_providers.routes,
        developers.routes,
        strategies.routes,
        teams.routes,
    ]
