"""Forms: read, known to be ours, sent once, and what is wrong with them told field by field.

Against requests that another site makes a browser send there are three walls: SameSite cookies, `Sec-Fetch-Site` (see
`api.same_site`), and a token in every form that is bound to the session.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from markupsafe import Markup
from pydantic import BaseModel, ValidationError

from kong_app_auth.portal.contract.common import storable
from kong_app_auth.portal.errors import Invalid, InvalidParameter, Refused
from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.services import used_forms
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.sessions import Developer, OperatorAccess, OperatorReader, OperatorsAddress, PageAccess
from kong_app_auth.portal.web.sessions import Visitor as _Visitor

TOKEN_FIELD: Final = "form_token"  # noqa: S105  the name of a field
ONCE: Final = "once"
MAX_BODY: Final = 256 * 1024
"""Bytes: a specification that an operator pastes is the longest."""
MAX_FIELDS: Final = 300
_OWN: Final = frozenset({TOKEN_FIELD, ONCE})
_SECRET: Final = ("password", "token", "secret", "key")
"""What a field's name has in it that is never written back into a page."""

Model = TypeVar("Model", bound=BaseModel)


class WrongToken(Refused):
    """The form is not one that this session was given, or the session is another by now."""

    status = 403
    title = "Forbidden"
    default = "This form belongs to another session, or is too old"


class Unreadable(Refused):
    """What came is no form."""

    status = 400
    default = "This is not a form that this page has sent"


class Form:
    """What somebody typed, by the fields' names. Lines end with a line feed alone."""

    def __init__(self, values: Mapping[str, Sequence[str]] | None = None) -> None:
        self._values = {name: list(given) for name, given in (values or {}).items()}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        """Leave what was typed out: it may be a password."""
        return f"Form({', '.join(sorted(self._values))})"

    def text(self, name: str, default: str = "") -> str:
        """Give a field's text; `default` where it was not sent."""
        given = self._values.get(name)
        return given[-1].strip() if given else default

    def secret(self, name: str) -> str:
        """Give a field as it was typed, space and all: passwords."""
        given = self._values.get(name)
        return given[-1] if given else ""

    def several(self, name: str) -> list[str]:
        """Give all values of a field, such as of boxes that were ticked."""
        return [one.strip() for one in self._values.get(name, ())]

    def flag(self, name: str) -> bool:
        """Say whether a box was ticked."""
        return self.text(name) not in ("", "false", "0", "off")

    def optional(self, name: str) -> str | None:
        """Give a field's text, None where nothing was typed."""
        return self.text(name) or None

    def whole_number(self, name: str) -> int:
        """Give a number. Raises Invalid where it is none."""
        text = self.text(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Invalid(InvalidParameter(field=name, reason="must be a whole number"))
        return int(text)

    def kept(self) -> list[tuple[str, str]]:
        """Give what may be written back into a page: everything but tokens and secrets."""
        return [
            (name, value)
            for name, given in self._values.items()
            if name not in _OWN and not is_secret(name)
            for value in given
        ]


def is_secret(name: str) -> bool:
    """Say whether a field's name is that of a secret."""
    lowered = name.lower()
    return any(word in lowered for word in _SECRET) and not lowered.endswith(("_names", "_id"))


async def read_form(request: Request) -> Form:
    """Read the form of a request. Raises Unreadable."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise Unreadable
    body = await request.body()
    if len(body) > MAX_BODY:
        raise Unreadable("This is more than a form may hold")
    return parsed(body)


def parsed(body: bytes) -> Form:
    """Read a form's body. Raises Unreadable."""
    try:
        pairs = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict", separator="&"
        )
    except (ValueError, UnicodeError):
        raise Unreadable from None
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        text = value.replace("\r\n", "\n")
        if not storable(name) or not storable(text):
            raise Unreadable("A field holds a NUL or half a surrogate pair")
        values.setdefault(name, []).append(text)
    return Form(values)


def token_for(plane: ControlPlane, binding: str) -> str:
    """The token of a session's forms: a keyed hash, so nothing has to be kept."""
    key = plane.configuration.vault_keys[0].encode()
    return hmac.digest(key, f"form\0{binding}".encode(), hashlib.sha256).hex()


def hidden_token(access: PageAccess | OperatorAccess) -> Markup:
    """The field that every form has."""
    token = token_for(access.plane, access.binding)
    return Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, token)


def hidden_once() -> Markup:
    """The field of a form that makes something: it is good once."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(ONCE, secrets.token_urlsafe(24))


def _checked(access: PageAccess | OperatorAccess, form: Form) -> Form:
    expected = token_for(access.plane, access.binding)
    if not hmac.compare_digest(form.text(TOKEN_FIELD).encode(), expected.encode()):
        raise WrongToken
    return form


SentForm = Annotated[Form, Depends(read_form)]


def _visitors_form(access: _Visitor, form: SentForm) -> Form:
    return _checked(access, form)


def _developers_form(access: Developer, form: SentForm) -> Form:
    return _checked(access, form)


def _address_form(access: OperatorsAddress, form: SentForm) -> Form:
    return _checked(access, form)


def _operators_form(access: OperatorReader, form: SentForm) -> Form:
    return _checked(access, form)


VisitorForm = Annotated[Form, Depends(_visitors_form)]
"""A form from a portal's pages. Its route takes a `Visitor`, or nobody."""
DeveloperForm = Annotated[Form, Depends(_developers_form)]
"""A form of somebody who is signed in at a portal."""
OperatorsAddressForm = Annotated[Form, Depends(_address_form)]
"""A form from the operators' pages, of somebody who need not be signed in."""
OperatorForm = Annotated[Form, Depends(_operators_form)]
"""An operator's form."""


def first_time(tx: Transaction, access: PageAccess | OperatorAccess, form: Form) -> bool:
    """Use up a form that has `once()` in it, in the transaction that does what it asks for; False: it was already.

    Raises Unreadable where the field is missing.
    """
    token = form.text(ONCE)
    if not 20 <= len(token) <= 64:
        raise Unreadable
    return used_forms.use(tx, f"{access.binding}\0{token}")


def once_of(access: PageAccess | OperatorAccess, form: Form) -> str:
    """Name a form that is sent once, for `web.shown_once`."""
    return f"{access.binding}\0{form.text(ONCE)}"


def checked(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Read what was typed as the API reads a body. Raises Invalid with the fields in people's words."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as wrong:
        raise Invalid(*(_told(dict(one)) for one in wrong.errors(include_input=False, include_url=False))) from None


def _told(error: dict[str, Any]) -> InvalidParameter:
    field = ".".join(str(part) for part in error["loc"]) or "body"
    context: dict[str, Any] = error.get("ctx") or {}
    match error["type"]:
        case "missing":
            reason = "is needed"
        case "string_too_short":
            shortest = int(context["min_length"])
            reason = "is needed" if shortest == 1 else f"must have at least {shortest} characters"
        case "string_too_long":
            reason = f"must have at most {context['max_length']} characters"
        case "too_short" | "too_long":
            reason = "has too few entries" if error["type"] == "too_short" else "has too many entries"
        case "greater_than_equal":
            reason = f"must be at least {context['ge']}"
        case "less_than_equal":
            reason = f"must be at most {context['le']}"
        case "literal_error":
            reason = f"must be {context['expected']}"
        case "string_pattern_mismatch":
            reason = "is not of the form that is needed"
        case _:
            reason = str(error["msg"]).removeprefix("Value error, ")
    return InvalidParameter(field=field, reason=reason)


def errors_of(wrong: Refused, *, field: str = "") -> dict[str, str]:
    """What to write beside which field: the field's name to a sentence. What is no field's stands under `field`."""
    if not isinstance(wrong, Invalid):
        return {field: sentence(wrong.detail)}
    return {one.field: _sentence_of(one) for one in reversed(wrong.parameters)}


def sentence(text: str) -> str:
    """Give `text` with a capital at the beginning and a full stop at the end."""
    text = text.strip()
    if not text:
        return text
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _sentence_of(one: InvalidParameter) -> str:
    begins = one.reason.split(" ", 1)[0]
    if begins in ("is", "must", "has", "have", "holds", "cannot", "needs"):
        return sentence(f"This {one.reason}")
    return sentence(one.reason)
