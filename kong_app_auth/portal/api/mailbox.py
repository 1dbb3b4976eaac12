"""`/mailbox`: the mails of a portal that sends none, to try things out. It is there only with the setting for it.

Whoever opens it reads everybody's one-time links: the setting says so, and no portal for others has it.
"""

from html import escape
from typing import Annotated, Final

from fastapi import Depends, Response
from sqlalchemy import select
from starlette.responses import HTMLResponse, PlainTextResponse

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.api.security import Plane
from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.store.mail import Message

routes = router("/mailbox", "Mailbox")
SHOWN: Final = 100

_PAGE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; frame-ancestors 'none'"
_MAIL_POLICY: Final = (
    "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'self'"
)
_HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}
_STYLE: Final = (
    "body{font:16px system-ui;margin:2rem}td,th{padding:.3rem 1rem .3rem 0;text-align:left}"
    "iframe{width:100%;height:32rem;border:1px solid #ccc}"
)


def _with_mailbox(plane: Plane) -> ControlPlane:
    if not plane.configuration.mailbox:
        raise NotFound
    return plane


Mailbox = Annotated[ControlPlane, Depends(_with_mailbox)]


@routes.get("", response_class=HTMLResponse)
def list_mails(plane: Mailbox) -> Response:
    """The latest mails, as a page."""
    with plane.read(System(region="")) as tx:
        newest = select(Message).order_by(Message.created_at.desc(), Message.id).limit(SHOWN)
        rows = "".join(
            f"<tr><td>{one.created_at:%Y-%m-%d %H:%M:%S}</td><td>{escape(one.recipient)}</td>"
            f'<td><a href="mailbox/{one.id}">{escape(one.subject)}</a></td></tr>'
            for one in tx.session.scalars(newest)
        )
    table = f"<table><tr><th>Time (UTC)</th><th>To</th><th>Subject</th></tr>{rows}</table>"
    return _page("Mailbox", table if rows else "<p>No mails yet.</p>")


@routes.get("/{message_id}", response_class=HTMLResponse)
def show_mail(plane: Mailbox, message_id: str) -> Response:
    """One mail, with its HTML part in a frame that may run nothing."""
    mail = _mail(plane, message_id)
    return _page(
        mail.subject,
        f'<p><a href="../mailbox">All mails</a></p><p>To: {escape(mail.recipient)}</p>'
        f'<p><a href="{mail.id}/text">Text part</a></p>'
        f'<iframe sandbox="allow-top-navigation-by-user-activation" src="{mail.id}/html" title="HTML part"></iframe>',
    )


@routes.get("/{message_id}/html", response_class=HTMLResponse)
def show_html(plane: Mailbox, message_id: str) -> Response:
    """The HTML part of a mail."""
    html = _mail(plane, message_id).html.replace("<head>", '<head><base target="_top">', 1)
    return HTMLResponse(html, headers={**_HEADERS, "Content-Security-Policy": _MAIL_POLICY})


@routes.get("/{message_id}/text", response_class=PlainTextResponse)
def show_text(plane: Mailbox, message_id: str) -> Response:
    """The text part of a mail."""
    return PlainTextResponse(_mail(plane, message_id).text, headers=_HEADERS)


def _mail(plane: ControlPlane, message_id: str) -> Message:
    with plane.read(System(region="")) as tx:
        found = tx.find(Message, message_id)
    if found is None:
        raise NotFound
    return found


def _page(title: str, body: str) -> Response:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    page = f'<!DOCTYPE html><html lang="en"><head>{head}</head><body><h1>{escape(title)}</h1>{body}</body></html>'
    return HTMLResponse(page, headers={**_HEADERS, "Content-Security-Policy": _PAGE_POLICY})
