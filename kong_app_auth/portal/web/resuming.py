"""What was typed is not lost where a session ends in the middle of a form.

A form that comes with a stale session goes by 307 to a route of the account, which alone is shown the refresh token,
and from there by 307 back: nobody notices. Where the session has really ended, the sign-in page carries what was typed
along (never a secret), and after signing in it is shown once more, to be sent or not.
"""

import json
from typing import Any, Final

from fastapi import Request, Response

from kong_app_auth.portal.api.return_paths import safe_path
from kong_app_auth.portal.web.forms import Form, Unreadable, read_form
from kong_app_auth.portal.web.rendering import render, render_bare
from kong_app_auth.portal.web.sessions import OperatorAccess, PageAccess, path_of
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

RENEW_PATH: Final = "/api/v3/developer/renew"
MAX_KEPT: Final = 128 * 1024


def carried(form: Form) -> tuple[str, list[tuple[str, str]]] | None:
    """Give the path and the fields that a sign-in page carries along; None where it carries none, or something else."""
    path, text = form.text("kept_path"), form.text("kept_fields")
    if not path or safe_path(path, "") != path or len(text) > MAX_KEPT:
        return None
    try:
        found: Any = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, list):
        return None
    fields: list[tuple[str, str]] = []
    for one in found:  # pyright: ignore[reportUnknownVariableType]
        match one:
            case [str() as name, str() as value]:
                fields.append((name, value))
            case _:  # pyright: ignore[reportUnknownVariableType]
                return None
    return path, fields


def written(fields: list[tuple[str, str]]) -> str:
    """Write fields as they are carried along."""
    return json.dumps(fields, ensure_ascii=False)


def resume(
    access: PageAccess | OperatorAccess, path: str, fields: list[tuple[str, str]], status: int = 200
) -> Response:
    """Show what was typed, to be sent to `path` by whoever is signed in now."""
    return render(access, site_of(access), "resume.html", status, path=path, fields=fields)


async def ask_again(request: Request) -> Response:
    """Answer a form whose token is another session's: nothing is done; it can be sent once more, by a button."""
    access: Any = getattr(request.state, "page", None)
    form = await _form(request)
    if not isinstance(access, PageAccess | OperatorAccess):
        return render_bare(request, "error.html", 403, heading=words("This form is too old"), detail="", request_id="")
    return resume(access, path_of(request), form.kept(), 403)


async def ask_operator_to_sign_in(request: Request) -> Response:
    """Answer an operator's form whose session has ended."""
    access = request.state.page
    form = await _form(request)
    kept = form.kept()
    return render(
        access,
        site_of(access),
        "operators/sign_in.html",
        401,
        form=Form(),
        errors={},
        return_to="/operator",
        kept_path=path_of(request),
        kept_fields=written(kept),
    )


async def _form(request: Request) -> Form:
    try:
        return await read_form(request)
    except Unreadable:
        return Form()
