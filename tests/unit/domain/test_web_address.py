"""Addresses of servers that operators give."""

import pytest
from pydantic import TypeAdapter, ValidationError

from kong_app_auth.domain.web_address import problem_with
from kong_app_auth.portal.contract.urls import WebUrl


@pytest.mark.parametrize(
    "text",
    [
        "https://idp.example.com",
        "https://idp.example.com:8443/tenant/",
        "https://10.0.0.1",
        *("http://127.0.0.1:3000", "http://[::1]:3000", "http://localhost", "http://idp.localhost"),
    ],
)
def test_https_is_good_and_http_on_this_machine(text: str) -> None:
    assert problem_with(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("http://idp.example.com", "must be a URL with https; http is for this machine itself only"),
        ("http://localhost.example.com", "must be a URL with https; http is for this machine itself only"),
        ("ftp://idp.example.com", "must be a URL with https"),
        ("https://", "must be a URL with https"),
        ("https://idp.example.com\\@evil", "must be a URL with https"),
        ("https://idp.example.com/ä", "must be a URL with https"),
        ("https://idp.example.com:0", "must be a URL with https"),
        ("https://idp.example.com:x", "is not a URL"),
        ("https://[::1", "is not a URL"),
        ("https://me:secret@idp.example.com", "must not hold a user name or password"),
        ("https://idp.example.com/#a", "must not have a fragment"),
    ],
)
def test_others_are_refused_in_the_same_words_by_the_portal(text: str, problem: str) -> None:
    assert problem_with(text) == problem
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(WebUrl).validate_python(text)
    assert [error["msg"] for error in refused.value.errors()] == [problem]
