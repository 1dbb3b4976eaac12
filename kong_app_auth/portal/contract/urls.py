"""Addresses of other servers that operators give: issuers, DCR servers, webhooks."""

from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from kong_app_auth.domain.web_address import problem_with

MAX_URL: Final = 256
MAX_ENDPOINT: Final = 2048


def web_url(text: str) -> str:
    """Give `text` if it is an address that a server may be called at. Raises PydanticCustomError."""
    problem = problem_with(text)
    if problem is not None:
        raise PydanticCustomError("invalid_url", "{problem}", {"problem": problem})
    return text


WebUrl = Annotated[str, StringConstraints(max_length=MAX_URL), AfterValidator(web_url)]
"""The URL of a server, as in the contract's `format: url`."""
Endpoint = Annotated[str, StringConstraints(max_length=MAX_ENDPOINT), AfterValidator(web_url)]
"""The URL that something is posted to."""
