"""What every page shows around its own content: whose site it is, the ways through it, and who is signed in."""

from typing import Literal

import msgspec

from kong_app_auth.portal.web.words import Words

Theme = Literal["light", "dark", ""]
"""What somebody chose; empty: as the device says."""


class Link(msgspec.Struct, frozen=True):
    """A way to another page. `current`: it leads to the page, or the part of the site, that is shown."""

    label: Words
    path: str
    current: bool = False


class Site(msgspec.Struct, frozen=True):
    """A site: its name, its home, the main ways, and where somebody signs in or out (None: nobody can).

    Paths begin at the site's root. `kind`: developers or operators.
    """

    name: str
    kind: str
    home: str
    ways: tuple[Link, ...] = ()
    who: str | None = None
    sign_in: str | None = None
    sign_up: str | None = None
    sign_out: str | None = None
    logo: str | None = None
    colours: str | None = None


UNKNOWN = Site("Developer portal", "developers", "/")
"""Around an error page of which nobody knows whose it is."""
