"""Mails from templates: `templates/<name>.txt` (its first line is the subject) and `templates/<name>.html`."""

from functools import cache
from typing import Any, Final, cast

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

KONNECT_TEMPLATES: Final = (
    "confirm-email-address",
    "app-registration-approved",
    "app-registration-rejected",
    "app-registration-revoked",
    "reset-password",
    "account-access-approved",
    "account-access-rejected",
    "account-access-revoked",
    "api-key-expiring-soon",
    "api-key-expired",
    "developer-invitation",
)
"""The templates that Konnect has, by the names of its API (`EmailTemplateName` of Kong's sdk-konnect-go)."""
OWN_TEMPLATES: Final = ("account-exists", "account-requested", "app-registration-requested", "api-key-disclosed")
"""What Konnect has no template for."""
MAX_SUBJECT: Final = 200
_SEVERAL_LINES: Final = frozenset({"reason"})
"""Values that may have several lines: what an operator wrote. Names must not be able to pass for the portal's words."""


class Rendered(msgspec.Struct, frozen=True):
    """A mail as people read it."""

    subject: str
    text: str
    html: str

    def __repr__(self) -> str:
        """Leave the bodies out: they may hold one-time links."""
        return f"Rendered({self.subject!r})"


def render(template: str, **values: Any) -> Rendered:
    """Write a mail. Every value that the template speaks of must be given."""
    values = {name: value if name in _SEVERAL_LINES else _in_one_line(value) for name, value in values.items()}
    subject, _, text = _environment().get_template(f"{template}.txt").render(values).partition("\n")
    subject = subject[:MAX_SUBJECT]
    html = _environment().get_template(f"{template}.html").render(values, subject=subject)
    return Rendered(subject, text.strip() + "\n", html)


def one_line(text: str) -> str:
    """Give `text` as one line that can be printed: a name with a line break in it must not become another header."""
    printable = "".join(character if character.isprintable() else " " for character in text)
    return " ".join(printable.split())


def _in_one_line(value: Any) -> Any:
    if isinstance(value, dict):
        known = cast(dict[str, Any], value)
        return {name: _in_one_line(one) for name, one in known.items()}
    return one_line(value) if isinstance(value, str) else value


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("kong_app_auth.portal.mail"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
