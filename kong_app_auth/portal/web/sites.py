"""Whose site a page belongs to, and the ways through it."""

from functools import cache

from fastapi.routing import APIRoute

from kong_app_auth.portal.views.appearance import logo_path
from kong_app_auth.portal.web.developers import pages as developers
from kong_app_auth.portal.web.operators import pages as operators
from kong_app_auth.portal.web.sessions import OperatorAccess, PageAccess, root_of
from kong_app_auth.portal.web.site import Link, Site


def site_of(access: PageAccess | OperatorAccess) -> Site:
    """Give the site that a page is shown in."""
    return _operators(access) if isinstance(access, OperatorAccess) else _developers(access)


def _developers(access: PageAccess) -> Site:
    portal, here = access.portal, _path(access)
    accounts = portal.authentication_enabled
    ways = tuple(
        Link(label, path, here == path or here.startswith(path + "/"))
        for label, path in developers.WAYS
        if access.signed_in or path in developers.PUBLIC
    )
    return Site(
        name=portal.display_name or portal.name,
        kind="developers",
        home="/",
        ways=ways,
        who="Your account" if access.signed_in else None,
        sign_in="/sign-in" if accounts and not access.signed_in else None,
        sign_up="/sign-up" if accounts and not access.signed_in else None,
        sign_out="/sign-out" if access.signed_in else None,
        logo=logo_path(portal),
        colours=None if portal.accent is None else f"/appearance/colours-{portal.accent[1:]}.css",
    )


def _operators(access: OperatorAccess) -> Site:
    here = _path(access)
    ways = tuple(
        Link(label, path, here == path or (path != "/operator" and here.startswith(path + "/")))
        for label, path in operators.WAYS
        if path in _operators_paths()
    )
    return Site(
        name="Control plane",
        kind="operators",
        home="/operator",
        ways=ways if access.signed_in else (),
        who=f"{access.operator.name} · {access.operator.region}" if access.signed_in else None,
        sign_in=None if access.signed_in else "/operator/sign-in",
        sign_out="/operator/sign-out" if access.signed_in else None,
    )


@cache
def _operators_paths() -> frozenset[str]:
    """The pages that there are: no way leads nowhere."""
    return frozenset(
        route.path for router in operators.routers() for route in router.routes if isinstance(route, APIRoute)
    )


def _path(access: PageAccess | OperatorAccess) -> str:
    path: str = access.request.scope["path"]
    return path.removeprefix(root_of(access.request))
