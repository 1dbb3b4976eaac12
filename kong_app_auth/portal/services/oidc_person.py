"""Who signed in, as the claims say by the portal's claim mappings."""

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec
from pydantic import TypeAdapter, ValidationError

from kong_app_auth.oidc.claims import Claims, at
from kong_app_auth.portal.contract.emails import EmailText

MOST_GROUPS: Final = 1000
MAX_NAME: Final = 250
_EMAIL: Final[TypeAdapter[str]] = TypeAdapter(EmailText)


class Person(msgspec.Struct, frozen=True):
    """Somebody at an identity provider. `email` None: none that we could write to is told; `verified`: it is theirs."""

    issuer: str
    subject: str
    email: str | None
    verified: bool
    name: str
    groups: frozenset[str]

    def __repr__(self) -> str:
        """Name nobody."""
        return f"Person(at {self.issuer})"


def wanted_claims(mappings: Mapping[str, str], *, with_groups: bool) -> tuple[str, ...]:
    """Name the claims that `person` reads; userinfo is asked for those that the ID token lacks."""
    names = [mappings["name"], mappings["email"]]
    if mappings["email"] == "email":
        names.append("email_verified")
    return (*names, mappings["groups"]) if with_groups else tuple(names)


def person(claims: Claims, mappings: Mapping[str, str]) -> Person:
    """Read checked claims. `mappings`: which claim is `name`, `email` and `groups`; dots lead into objects."""
    email = _email(at(claims, mappings["email"]))
    # `email_verified` speaks of the claim `email`, whatever the portal's address is taken from. Some providers write it
    # as a text.
    vouched = claims.get("email_verified") in (True, "true") and email is not None
    return Person(
        issuer=claims["iss"],
        subject=claims["sub"],
        email=email,
        verified=vouched and _email(claims.get("email")) == email,
        name=_name(at(claims, mappings["name"])) or email or "",
        groups=_groups(at(claims, mappings["groups"])),
    )


def _email(value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return _EMAIL.validate_python(value)
    except ValidationError:
        return None


def _name(value: Any) -> str:
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()[:MAX_NAME]


def _groups(value: Any) -> frozenset[str]:
    """A list of names, or one name. What is longer than a mapping can be, is none of ours."""
    values = cast("list[object]", value)[:MOST_GROUPS] if isinstance(value, list) else [value]
    return frozenset(one for one in values if isinstance(one, str) and one)
