"""The question before what cannot be undone: a page of its own, with a form of one button."""

import msgspec
from fastapi import Response

from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import OperatorAccess, path_of
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import Words


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked. `name`: what it is about; `effect`: what becomes of it; `back`: where "no" leads."""

    title: Words
    name: str
    effect: Words
    yes: Words
    back: str


def ask(
    access: OperatorAccess, question: Question, *, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    """Ask. The answer is sent to the page's own path."""
    return render(
        access,
        site_of(access),
        "operators/confirm.html",
        status,
        question=question,
        path=path_of(access.request).partition("?")[0],
        errors=errors or {},
    )
