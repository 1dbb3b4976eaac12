"""What a list of usage can be asked, by operators and by developers."""

from typing import Final

from kong_app_auth.portal.api.listing import Field, FieldKind, Listing
from kong_app_auth.portal.services.usage import DAY, REQUESTS
from kong_app_auth.portal.store.usage import Usage

USAGE_LIST: Final = Listing(
    tie=DAY,
    default=(DAY.desc(),),
    filters={
        "application_id": Field(Usage.application_id, FieldKind.UUID),
        "api_id": Field(Usage.api_id, FieldKind.UUID),
        "outcome": Field(Usage.outcome),
        "at": Field(Usage.minute, FieldKind.TIME),
    },
    sorts={"day": DAY, "requests": REQUESTS, "outcome": Usage.outcome},
)
"""Filters and sorts. `filter[at]` bounds the time, by the minute: `filter[at][gte]=2026-11-01T00:00:00Z`."""
