"""What can be wrong with what somebody typed: told on the form itself, which keeps it."""

from typing import Final

from kong_app_auth.portal.errors import Conflict, Forbidden, Invalid, Unprocessable

WRONG: Final = (Invalid, Conflict, Forbidden, Unprocessable)
