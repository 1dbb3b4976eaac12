"""The page that says in words what changed settings of a portal do, before they are saved."""

from fastapi import Response

from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.web.forms import Form
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import OperatorAccess
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import Words


def say_first(
    access: OperatorAccess, portal: Portal, form: Form, told: list[Words], page: str, *, secret: str | None = None
) -> Response:
    """Say it. The form is sent again to `page` below the portal's: with step=save, or step=again to change it.

    `secret`: the field of a secret that was typed. No page holds it, so it is asked for again.
    """
    kept = [(name, value) for name, value in form.kept() if name != "step"]
    return render(
        access,
        site_of(access),
        "operators/portal_effects.html",
        portal=portal,
        told=told,
        kept=kept,
        page=page,
        secret=secret,
    )
