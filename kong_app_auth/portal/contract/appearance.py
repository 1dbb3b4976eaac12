"""Beyond Konnect: what a portal's pages look like (`/v3/portals/{id}/appearance`)."""

from typing import Annotated

from pydantic import StringConstraints

from kong_app_auth.portal.contract.common import Input, Output

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]


class UpdateAppearance(Input):
    """What changes; null: the product's own. `logo`: a data URL of a PNG, JPEG or WebP picture."""

    accent: Colour | None = None
    logo: Annotated[str, StringConstraints(max_length=70_000)] | None = None


class AppearanceView(Output):
    """The colour of the pages, and the logo's address below the portal's own; null for the product's own."""

    accent: str | None
    logo: str | None
