import re
from importlib.resources import files
from typing import Any

import pytest

from kong_app_auth.portal.mail.rendering import KONNECT_TEMPLATES, MAX_SUBJECT, OWN_TEMPLATES, render

VALUES: dict[str, Any] = {
    "full_name": "Dora Ray",
    "portal_name": "Staging",
    "portal_url": "http://portal.test/p/staging",
    "link": "http://portal.test/p/staging/somewhere#token=x",
    "hours": 24,
    "reason": "because",
    "api": "Weather API v1",
    "application_name": "Umbrella",
    "developer": {"full_name": "Dora Ray", "email": "dora@example.com"},
    "developer_id": "developer-id",
    "team_id": None,
    "registration_id": "registration-id",
    "key_name": "production",
    "key_id": "key-id",
    "expires_at": "2026-12-01 12:00 UTC",
}
EVIL = 'x\r\nBcc: everybody@example.com\n\n<script>alert("1")</script>'


def test_there_are_eleven_templates_of_konnect_and_ours_each_as_text_and_html() -> None:
    names = {one.name for one in (files("kong_app_auth.portal.mail") / "templates").iterdir() if one.name[0] != "_"}

    assert len(KONNECT_TEMPLATES) == 11
    assert names == {f"{name}.{kind}" for name in KONNECT_TEMPLATES + OWN_TEMPLATES for kind in ("txt", "html")}


@pytest.mark.parametrize("template", KONNECT_TEMPLATES + OWN_TEMPLATES)
def test_a_mail_has_a_subject_a_text_and_html_that_say_the_same(template: str) -> None:
    mail = render(template, **VALUES)

    assert 10 < len(mail.subject) <= MAX_SUBJECT
    assert "http://portal.test/p/staging" in mail.text
    assert f"<title>{mail.subject}</title>" in mail.html
    words = re.sub(r"<[^>]+>", " ", mail.html.partition("<body")[2])
    for name in ("application_name", "api", "key_id", "developer_id", "link", "reason"):
        assert (str(VALUES[name]) in mail.text) == (str(VALUES[name]) in words), name
    assert "None" not in mail.text + mail.html
    assert not re.search(r"\n{4}", mail.text)


@pytest.mark.parametrize("template", KONNECT_TEMPLATES + OWN_TEMPLATES)
def test_a_name_makes_no_header_no_line_and_no_markup(template: str) -> None:
    evil = {name: EVIL for name, value in VALUES.items() if isinstance(value, str)}
    mail = render(template, **{**VALUES, **evil, "developer": {"full_name": EVIL, "email": EVIL}, "reason": "fine"})

    assert mail.subject.isprintable()
    assert not any(line.startswith("Bcc") for line in mail.text.splitlines())
    assert "<script" not in mail.html


def test_a_value_that_is_not_given_is_an_error_and_not_a_gap() -> None:
    with pytest.raises(Exception, match="undefined"):
        render("reset-password", portal_name="x")


def test_bodies_are_in_no_repr() -> None:
    assert "token" not in repr(render("reset-password", **VALUES))
