"""Where the client id is in a token: any claim, and any path."""

import pytest

from kong_app_auth.oidc.claims import Claims, client_ids


@pytest.mark.parametrize(
    ("claims", "names", "expected"),
    [
        ({"cid": "0oa1", "sub": "0oa1"}, ("cid",), ("0oa1",)),
        ({"azp": "a", "client_id": "b"}, ("client_id", "azp"), ("b", "a")),
        ({"azp": "a", "client_id": "a"}, ("azp", "client_id"), ("a",)),
        ({"act": {"client": {"id": "c"}}}, ("act.client.id",), ("c",)),
        ({"https://example.com/app": "d"}, ("https://example.com/app",), ("d",)),
        ({"a.b": "by name", "a": {"b": "by path"}}, ("a.b",), ("by name",)),
        ({"cid": 7, "azp": ["x"], "sub": ""}, ("cid", "azp", "sub", "missing", "cid.x"), ()),
        ({"sub": "not asked for"}, ("cid",), ()),
    ],
    ids=[
        "Okta",
        "in their order",
        "each once",
        "a path",
        "a claim that is a URL",
        "name before path",
        "no text",
        "else",
    ],
)
def test_the_claims_that_the_strategy_names_are_read(
    claims: dict[str, object], names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert client_ids(Claims(claims), names) == expected
