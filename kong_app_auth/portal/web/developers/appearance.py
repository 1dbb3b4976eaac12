"""`/appearance`: a portal's colours as a style sheet, and its logo. Their addresses change with what they hold."""

from typing import Final

from fastapi import Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.services import appearance
from kong_app_auth.portal.web.sessions import Visitor

routes = router("/appearance", "Pages")

_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
}
_LIGHT: Final = "--accent:{0};--accent-strong:{1};--focus:{0};--on-accent:#ffffff;"
_DARK: Final = "--accent:{0};--accent-strong:{1};--focus:{1};--on-accent:#0c1620;"


@routes.get("/colours-{colour}.css")
def get_colours(colour: str) -> Response:
    """The style sheet of a colour, which is legible."""
    found = appearance.shades(f"#{colour}")
    if found is None:
        raise NotFound
    light, dark = _LIGHT.format(found.light, found.light_strong), _DARK.format(found.dark, found.dark_strong)
    style = (
        f":root{{{light}}}"
        f'@media (prefers-color-scheme:dark){{:root:not([data-theme="light"]){{{dark}}}}}'
        f':root[data-theme="dark"]{{{dark}}}'
    )
    return Response(style, media_type="text/css; charset=utf-8", headers=_HEADERS)


@routes.get("/logo-{version}")
def get_logo(access: Visitor, version: str) -> Response:
    """The portal's logo."""
    if access.portal.logo_version != version:
        raise NotFound
    with access.read() as tx:
        found = appearance.logo(tx, access.portal.id)
        return Response(found.content, media_type=found.media_type, headers=_HEADERS)
