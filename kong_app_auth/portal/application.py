"""The web application: everything that the portal serves, in one ASGI app."""

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from kong_app_auth.oidc.sign_in_providers import SignInProviders
from kong_app_auth.portal.api.addresses import PortalPaths
from kong_app_auth.portal.api.internal.feed import FeedService
from kong_app_auth.portal.api.problems import install
from kong_app_auth.portal.api.request_id import RequestId
from kong_app_auth.portal.api.too_large import TooLarge
from kong_app_auth.portal.feed.watching import FeedWatch
from kong_app_auth.portal.metrics import PortalMetrics
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.web import errors as page_errors
from kong_app_auth.portal.web.pages import routers as page_routers
from kong_app_auth.portal.web.shown_once import ShownOnce
from kong_app_auth.portal.web.token_endpoints import TokenEndpoints

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
    )
    app.state.plane = plane
    app.state.feed = FeedService(FeedWatch(plane))
    app.state.metrics = PortalMetrics()
    app.state.shown_once = ShownOnce()
    app.state.sign_in_providers = SignInProviders(lambda: plane.outgoing)
    app.state.token_endpoints = TokenEndpoints(lambda: plane.outgoing)
    each_router = [*routers(), *page_routers()]
    for one in each_router:
        app.include_router(one)
    app.state.routes = [route for one in each_router for route in one.routes if isinstance(route, APIRoute)]
    app.add_middleware(PortalPaths)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY)
    app.add_middleware(TooLarge)
    app.add_middleware(RequestId)
    install(app)
    page_errors.install(app)
    return app


def routers() -> list[APIRouter]:
    """All routes, by subject."""
    from kong_app_auth.portal.api import mailbox
    from kong_app_auth.portal.api.developers import accounts as developer_accounts
    from kong_app_auth.portal.api.developers import applications as own_applications
    from kong_app_auth.portal.api.developers import catalogue, stats
    from kong_app_auth.portal.api.developers import credentials as own_credentials
    from kong_app_auth.portal.api.developers import disclosures as own_disclosures
    from kong_app_auth.portal.api.developers import oidc as developer_oidc
    from kong_app_auth.portal.api.developers import portal as developer_portal
    from kong_app_auth.portal.api.developers import refusals as own_refusals
    from kong_app_auth.portal.api.developers import registrations as own_registrations
    from kong_app_auth.portal.api.developers import sessions as developer_sessions
    from kong_app_auth.portal.api.developers import strategies as portal_strategies
    from kong_app_auth.portal.api.developers import teams as developer_teams
    from kong_app_auth.portal.api.developers import usage as own_usage
    from kong_app_auth.portal.api.internal import feed, health, kong_states, reports
    from kong_app_auth.portal.api.operators import (
        apis,
        appearance,
        applications,
        audit,
        authentication,
        credentials,
        custom_domain,
        dcr_providers,
        developers,
        disclosures,
        gateway_nodes,
        implementations,
        kong_gateways,
        portals,
        publications,
        refusals,
        registration_fields,
        registrations,
        specifications,
        strategies,
        teams,
        usage,
    )

    return [
        mailbox.routes,
        feed.routes,
        health.routes,
        portals.routes,
        appearance.routes,
        apis.routes,
        specifications.routes,
        publications.routes,
        implementations.routes,
        catalogue.routes,
        dcr_providers.routes,
        audit.log_routes,
        audit.destination_routes,
        audit.webhook_routes,
        authentication.routes,
        custom_domain.routes,
        developer_accounts.routes,
        developer_oidc.routes,
        developer_portal.routes,
        developer_sessions.routes,
        developer_teams.routes,
        developers.routes,
        strategies.routes,
        portal_strategies.routes,
        teams.routes,
        applications.routes,
        applications.unscoped,
        credentials.routes,
        registrations.all_routes,
        registrations.routes,
        registration_fields.routes,
        disclosures.routes,
        own_applications.routes,
        own_credentials.routes,
        own_registrations.routes,
        own_registrations.asked,
        own_disclosures.routes,
        reports.routes,
        kong_states.routes,
        kong_gateways.routes,
        gateway_nodes.routes,
        refusals.routes,
        own_refusals.routes,
        stats.routes,
        usage.routes,
        own_usage.routes,
    ]
