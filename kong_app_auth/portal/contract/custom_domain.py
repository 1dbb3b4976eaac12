"""A portal's own host name (`/v3/portals/{portalId}/custom-domain`): beyond Konnect's contract."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from kong_app_auth.portal.contract.common import Input, Output

MAX_HOSTNAME: Final = 253
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# The last label is no number: four numbers would be an address.
_HOSTNAME = re.compile(rf"({_LABEL}\.)+(?!\d+$){_LABEL}", re.ASCII)


def _hostname(text: str) -> str:
    known = text.lower()
    if not _HOSTNAME.fullmatch(known):
        raise PydanticCustomError("invalid_hostname", "must be a host name of at least two labels, in ASCII")
    return known


Hostname = Annotated[str, StringConstraints(max_length=MAX_HOSTNAME), AfterValidator(_hostname)]
"""A host name (RFC 1123, section 2.1) in lower case, without a dot at the end; other letters as IDNA writes them."""


class SetDomain(Input):
    """The body of `PUT`."""

    hostname: Hostname


class DomainView(Output):
    """A portal's own host name."""

    hostname: str
