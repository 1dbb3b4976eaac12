"""Addresses of mail."""

from typing import Annotated, Final

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

MAX_EMAIL: Final = 250
"""Characters: what the contract allows in a developer's own view."""


def _address(text: str) -> str:
    # Addresses of an intranet are good. Names beyond ASCII are not: few servers take them, and they can look like
    # somebody else's; domains beyond ASCII are kept in their ASCII form.
    try:
        known = validate_email(text[: MAX_EMAIL + 1], check_deliverability=False, globally_deliverable=False)
    except EmailNotValidError:
        raise PydanticCustomError("invalid", "must be an e-mail address") from None
    if known.ascii_email is None or len(known.ascii_email) > MAX_EMAIL:
        raise PydanticCustomError("invalid", "must be an e-mail address in ASCII, of at most 250 characters")
    return known.ascii_email


EmailText = Annotated[str, AfterValidator(_address), Field(json_schema_extra={"format": "email"})]
"""An address as it is written; `email_key` gives it as it is compared."""


def email_key(email: str) -> str:
    """Give an address as it is compared: nobody has two accounts that differ in case."""
    return email.lower()
