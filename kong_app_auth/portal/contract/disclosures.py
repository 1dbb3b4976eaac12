"""Beyond Konnect: somebody tells that a key has leaked."""

from typing import Annotated

from pydantic import Field, StringConstraints

from kong_app_auth.domain.api_key import MAX_LENGTH
from kong_app_auth.portal.contract.common import Input


class DiscloseKey(Input):
    """What may be a leaked key."""

    key: Annotated[str, StringConstraints(min_length=1, max_length=MAX_LENGTH), Field(repr=False)]
