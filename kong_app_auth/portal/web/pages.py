"""All pages, by subject."""

from fastapi import APIRouter


def routers() -> list[APIRouter]:
    """The routers of the pages. A path is matched by the first route that fits."""
    from kong_app_auth.portal.web import preferences, static_files, style_page
    from kong_app_auth.portal.web.developers import pages as developers
    from kong_app_auth.portal.web.operators import pages as operators

    return [
        static_files.routes,
        preferences.routes,
        style_page.routes,
        *operators.routers(),
        *developers.routers(),
    ]
