"""A portal's colour and logo: what cannot be read, or is no picture, is refused."""

import base64
import colorsys

import pytest

from kong_app_auth.portal.errors import Invalid
from kong_app_auth.portal.services.appearance import LEGIBLE, _legible, contrast, shades
from tests.unit.portal.web.people import People

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 100).decode()
WHITE, PAGE, DARK = (255, 255, 255), (0xEE, 0xF1, 0xF5), (0x26, 0x2F, 0x3C)


def _rgb(text: str) -> tuple[int, int, int]:
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast((0, 0, 0), WHITE) == pytest.approx(21)
    assert contrast((0x77, 0x77, 0x77), WHITE) == pytest.approx(4.48, abs=0.01)


def test_every_colour_is_legible_or_refused_with_one_that_is() -> None:
    refused = 0
    for step in range(36):
        for value in (0.2, 0.5, 0.8, 1.0):
            parts = colorsys.hsv_to_rgb(step / 36, 1.0, value)
            colour = "#" + "".join(f"{round(part * 255):02x}" for part in parts)
            try:
                good = _legible(colour)
            except Invalid as wrong:
                refused += 1
                good = wrong.parameters[0].reason.rsplit("; ", 1)[1].split(" ")[0]
            found = shades(good)
            assert found is not None, (colour, good)
            for one, ground in ((found.light, PAGE), (found.light, WHITE), (found.light_strong, PAGE)):
                assert contrast(_rgb(one), ground) >= LEGIBLE
            for one in (found.dark, found.dark_strong):
                assert contrast(_rgb(one), DARK) >= LEGIBLE
                assert contrast(_rgb(one), (0x0C, 0x16, 0x20)) >= LEGIBLE
    assert 0 < refused < 144


def test_a_portal_wears_its_colour_and_logo(people: People) -> None:
    operator, portal = people.clients.operator(), people.world.ids["portalId"][0]
    path = f"/v3/portals/{portal}/appearance"
    assert operator.get(path) == {"accent": None, "logo": None}
    operator.patch(path, {"accent": "#7A1F6B", "logo": f"data:image/png;base64,{PNG}"})
    shown = operator.get(path)
    assert shown["accent"] == "#7a1f6b"

    visitor = people.visitor()
    page = visitor.get("/")
    assert f'href="{people.prefix}/appearance/colours-7a1f6b.css"' in page.text
    assert f'src="{people.prefix}{shown["logo"]}"' in page.text
    style = visitor.http.get(f"{people.prefix}/appearance/colours-7a1f6b.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "--accent:#7a1f6b" in style.text
    picture = visitor.http.get(people.prefix + shown["logo"])
    assert (picture.headers["content-type"], picture.headers["x-content-type-options"]) == ("image/png", "nosniff")

    operator.patch(path, {"accent": None, "logo": None})
    assert "/appearance/" not in visitor.get("/").text
    assert visitor.http.get(people.prefix + shown["logo"]).status_code == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"accent": "#ffff00"},
        {"accent": "red"},
        {"accent": "#12345"},
        {"accent": "#123456;}body{"},
        {"logo": "https://evil.example/logo.png"},
        {"logo": "data:image/svg+xml;base64,PHN2Zy8+"},
        {"logo": "data:image/png;base64,PHNjcmlwdD4="},
        {"logo": "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 50_000).decode()},
        {"logo": "data:image/png;base64,A"},
    ],
    ids=range(9),
)
def test_what_cannot_be_read_or_is_no_picture_is_refused(people: People, wanted: dict[str, str]) -> None:
    path = f"/v3/portals/{people.world.ids['portalId'][0]}/appearance"
    problem = people.clients.operator().patch(path, wanted, expect=400)
    assert problem["invalid_parameters"][0]["field"] in wanted


@pytest.mark.parametrize("colour", ["ffff00", "123", "1234567", "123456;", "xxxxxx"])
def test_there_is_no_style_sheet_of_what_is_no_good_colour(shared: People, colour: str) -> None:
    assert shared.visitor().http.get(f"{shared.prefix}/appearance/colours-{colour}.css").status_code == 404
