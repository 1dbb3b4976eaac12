"""Pages from templates, with the headers that every page has.

Text goes through `_()`, so that it can be translated; what code chose goes through `said`. Everything else that a
template shows is escaped.
"""

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, Final

from fastapi import Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse

from kong_app_auth.portal.web import forms
from kong_app_auth.portal.web.prose import prose
from kong_app_auth.portal.web.sessions import OperatorAccess, PageAccess, path_of, root_of
from kong_app_auth.portal.web.site import UNKNOWN, Site
from kong_app_auth.portal.web.static_files import static_files
from kong_app_auth.portal.web.words import said

THEME_COOKIE: Final = "theme"
FLASH_COOKIE: Final = "flash"
POLICY: Final = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

_BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "an iPhone"),
    ("iPad", "an iPad"),
    ("Mac OS X", "a Mac"),
    ("Linux", "Linux"),
)
_CELL: Final = re.compile(r"<t[rdh](?=[\s>])")

AnyAccess = PageAccess | OperatorAccess


class Errors(dict[str, str]):
    """What is wrong, by the field's name; nothing for the others, so that a template can ask for any."""

    def __missing__(self, name: str) -> None:
        """Nothing is wrong with that field."""


def render(access: AnyAccess, site: Site, template: str, status: int = 200, **context: Any) -> Response:
    """Answer with a page. `context`: what the template speaks of, besides what `templates/base.html` lists."""
    page = _write(
        access.request, site, template, {"access": access, "status": status, **_form_fields(access), **context}
    )
    response = HTMLResponse(page, status, HEADERS)
    # A page of somebody who is signed in is nobody else's, and not there any more after signing out.
    response.headers["Cache-Control"] = "no-store" if access.signed_in else "private, no-cache"
    access.nonce.hand_over(response)
    _forget_flash(access.request, response)
    return response


def render_bare(request: Request, template: str, status: int, **context: Any) -> Response:
    """Answer with a page of which nobody knows whose it is: it has no forms."""
    page = _write(request, UNKNOWN, template, {"access": None, "status": status, **context})
    return HTMLResponse(page, status, {**HEADERS, "Cache-Control": "no-store"})


def see_other(request: Request, path: str, flash: str | None = None) -> Response:
    """Lead to another page of the site after a form (303). `path` begins at the site's root.

    `flash`: the name of a message of `templates/components/flash.html`, shown once on that page. Never a text: what
    comes from a cookie is not shown as the portal's words.
    """
    response = RedirectResponse(root_of(request) + path, 303)
    response.headers["Cache-Control"] = "no-store"
    if flash is not None:
        secure = request.app.state.plane.configuration.secure
        path = root_of(request) or "/"
        response.set_cookie(FLASH_COOKIE, flash, 60, path=path, secure=secure, httponly=True, samesite="lax")
    return response


def _form_fields(access: AnyAccess) -> dict[str, Callable[[], Any]]:
    return {"form_token": lambda: forms.hidden_token(access), "once": forms.hidden_once}


def _write(request: Request, site: Site, template: str, context: dict[str, Any]) -> str:
    root = root_of(request)
    theme = request.cookies.get(THEME_COOKIE)

    def url(path: str) -> str:
        return root + path

    def static(name: str) -> str:
        return f"{root}/static/{name}?v={static_files()[name].version}"

    return (
        environment()
        .get_template(template)
        .render(
            site=site,
            url=url,
            static=static,
            here=path_of(request),
            theme=theme if theme in ("light", "dark") else "",
            flash=_flash(request),
            **{**context, "errors": Errors(context.get("errors") or {})},
        )
    )


def _flash(request: Request) -> str | None:
    shown = request.cookies.get(FLASH_COOKIE, "")
    return shown if len(shown) <= 40 and shown.replace("-", "").isalpha() and shown.isascii() else None


def _forget_flash(request: Request, response: Response) -> None:
    if FLASH_COOKIE in request.cookies:
        response.delete_cookie(FLASH_COOKIE, path=root_of(request) or "/")


def warm_up() -> None:
    """Compile all templates, so that nobody waits for it."""
    for name in environment().list_templates():
        environment().get_template(name)


@cache
def environment() -> Environment:
    """The templates, compiled once."""
    made = Environment(
        loader=PackageLoader("kong_app_auth.portal.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    made.install_null_translations(newstyle=True)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
    filters: Any = made.filters
    filters["moment"] = moment
    filters["iso"] = iso
    filters["day"] = day
    filters["number"] = number
    filters["prose"] = prose
    filters["said"] = said
    filters["stacked"] = stacked
    filters["device"] = device
    return made


def stacked(rows: str, heads: Sequence[str]) -> Markup:
    """Write each cell's head into it, for screens on which a table is too wide: the style shows it there.

    `rows` is a table's body as a template has written it, so no `<td` stands in a text.
    """
    number = -1

    def label(found: re.Match[str]) -> str:
        nonlocal number
        number = -1 if found[0] == "<tr" else number + 1
        if found[0] != "<td" or number >= len(heads):
            return found[0]
        return f'<td data-label="{escape(heads[number])}"'

    return Markup(_CELL.sub(label, rows))  # noqa: S704  it was markup, and the heads are escaped


def moment(at: datetime | None) -> str:
    """Write a time for people: `24 Nov 2026, 14:05 UTC`."""
    return "" if at is None else f"{at.astimezone(UTC):%-d %b %Y, %H:%M} UTC"


def device(user_agent: str | None) -> str:
    """Say in a few words what a browser says that it is: `Firefox on Linux`. Empty where it says nothing."""
    text = user_agent or ""
    browser = next((name for mark, name in _BROWSERS if mark in text), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    return f"{browser} on {system}" if browser and system else browser or text[:60]


def iso(at: datetime) -> str:
    """Write a time for machines (the `datetime` of a `<time>`)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(at: date) -> str:
    """Write a day for people: `24 Nov`."""
    return f"{at:%-d %b}"


def number(count: int) -> str:
    """Write a number with thin spaces between the thousands."""
    return f"{count:,}".replace(",", "\u202f")
