"""What a portal's pages look like: one colour, and a logo. Beyond Konnect.

The colour must be legible: as text on the light page and under white text, at WCAG's 4.5 to 1. For the dark page a
lighter shade of it is taken, which is legible there.
"""

import base64
import binascii
import hashlib
import re
from typing import Final

import msgspec

from kong_app_auth.portal.contract.appearance import UpdateAppearance
from kong_app_auth.portal.errors import NotFound, invalid
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.portals import Portal, PortalLogo
from kong_app_auth.portal.transaction import Transaction

MAX_LOGO: Final = 48 * 1024
"""Bytes: a page is to weigh less than 100 KB with it."""
LEGIBLE: Final = 4.5
"""The contrast that WCAG 2.2 asks of text (success criterion 1.4.3)."""
_LIGHT_PAGE: Final = (0xEE, 0xF1, 0xF5)
"""The darkest surface that the colour stands on as text, light; and the lightest one, dark (`static/style.css`)."""
_DARK_PAGE: Final = (0x26, 0x2F, 0x3C)
_COLOUR: Final = re.compile(r"#[0-9a-f]{6}", re.ASCII)
_DATA_URL: Final = re.compile(r"data:image/(?P<kind>png|jpeg|webp);base64,(?P<data>[A-Za-z0-9+/]+={0,2})", re.ASCII)
_BEGINS: Final = {"png": b"\x89PNG\r\n\x1a\n", "jpeg": b"\xff\xd8\xff", "webp": b"RIFF"}

Rgb = tuple[int, int, int]


class Shades(msgspec.Struct, frozen=True):
    """A colour and what is made of it: stronger ones for a pointer above, and those of the dark page."""

    light: str
    light_strong: str
    dark: str
    dark_strong: str


def update(tx: Transaction, portal_id: str, wanted: UpdateAppearance) -> Portal:
    """Change what is named; null takes the product's own again. Raises NotFound, Invalid."""
    portal = the_portal(tx, portal_id)
    if "accent" in wanted.model_fields_set:
        portal.accent = None if wanted.accent is None else _legible(wanted.accent)
    if "logo" in wanted.model_fields_set:
        _set_logo(tx, portal, wanted.logo)
    tx.session.flush()
    return portal


def logo(tx: Transaction, portal_id: str) -> PortalLogo:
    """Give a portal's logo. Raises NotFound."""
    found = tx.session.get(PortalLogo, portal_id)
    if found is None:
        raise NotFound("This portal has no logo")
    return found


def shades(colour: str) -> Shades | None:
    """Give the shades of a legible colour; None for what is none."""
    if _COLOUR.fullmatch(colour) is None or contrast(_rgb(colour), _LIGHT_PAGE) < LEGIBLE:
        return None
    light = _rgb(colour)
    dark = light
    while contrast(dark, _DARK_PAGE) < LEGIBLE:
        dark = _mixed(dark, (255, 255, 255))
    return Shades(
        colour, _text(_mixed(light, (0, 0, 0), 0.22)), _text(dark), _text(_mixed(dark, (255, 255, 255), 0.35))
    )


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast of two colours by WCAG, 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _legible(colour: str) -> str:
    colour = colour.lower()
    found = contrast(_rgb(colour), _LIGHT_PAGE)
    if found >= LEGIBLE:
        return colour
    darker = _rgb(colour)
    while contrast(darker, _LIGHT_PAGE) < LEGIBLE:
        darker = _mixed(darker, (0, 0, 0))
    raise invalid(
        "accent", f"is too light to be read: its contrast is {found:.1f}, {LEGIBLE} is needed; {_text(darker)} would do"
    )


def _set_logo(tx: Transaction, portal: Portal, text: str | None) -> None:
    known = tx.session.get(PortalLogo, portal.id)
    if text is None:
        portal.logo_version = None
        if known is not None:
            tx.session.delete(known)
        return
    found = _DATA_URL.fullmatch(text)
    if found is None:
        raise invalid("logo", "must be a data URL of a PNG, JPEG or WebP picture (SVG can hold scripts)")
    try:
        content = base64.b64decode(found["data"], validate=True)
    except binascii.Error:
        raise invalid("logo", "is not base64") from None
    if not content.startswith(_BEGINS[found["kind"]]):
        raise invalid("logo", "is not a picture of the kind that it says")
    if len(content) > MAX_LOGO:
        raise invalid("logo", f"must have at most {MAX_LOGO // 1024} KiB", "max_length")
    portal.logo_version = hashlib.sha256(content).hexdigest()[:16]
    if known is None:
        known = PortalLogo(portal_id=portal.id)
        tx.session.add(known)
    known.media_type, known.content = f"image/{found['kind']}", content


def _luminance(colour: Rgb) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _mixed(colour: Rgb, other: Rgb, part: float = 0.08) -> Rgb:
    red, green, blue = (round(one + (two - one) * part) for one, two in zip(colour, other, strict=True))
    step = 1 if other[0] else -1
    if (red, green, blue) == colour:  # rounding must not keep it where it is
        red, green, blue = (max(0, min(255, one + step)) for one in colour)
    return red, green, blue


def _rgb(colour: str) -> Rgb:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _text(colour: Rgb) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
