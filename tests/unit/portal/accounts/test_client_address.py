import pytest
from starlette.requests import Request

from kong_app_auth.portal.api.client_address import client_address, counted_as


def _request(*forwarded: str, peer: str | None = "192.0.2.1") -> Request:
    headers = [(b"x-forwarded-for", one.encode("latin-1")) for one in forwarded]
    client = None if peer is None else (peer, 1234)
    return Request({"type": "http", "headers": headers, "client": client})


@pytest.mark.parametrize(
    ("forwarded", "proxies", "expected"),
    [
        ([], 0, "192.0.2.1"),
        (["10.0.0.1"], 0, "192.0.2.1"),
        ([], 1, "192.0.2.1"),
        (["10.0.0.1"], 1, "10.0.0.1"),
        (["6.6.6.6, 10.0.0.1"], 1, "10.0.0.1"),
        (["6.6.6.6", "10.0.0.1, 10.0.0.2"], 2, "10.0.0.1"),
        (["10.0.0.1"], 2, "10.0.0.1"),
        (["10.0.0.1:4711"], 1, "10.0.0.1"),
        (["2001:db8::1"], 1, "2001:db8::1"),
        (["[2001:db8::1]:4711"], 1, "2001:db8::1"),
        (["unknown"], 1, "192.0.2.1"),
        ([""], 1, "192.0.2.1"),
    ],
)
def test_the_address_is_read_from_the_right(forwarded: list[str], proxies: int, expected: str) -> None:
    assert client_address(_request(*forwarded), proxies) == expected


def test_a_socket_without_an_address_is_one_client() -> None:
    assert client_address(_request("10.0.0.1", peer=None), 0) == "unknown"


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    assert counted_as("2001:db8:1:2:3::4") == counted_as("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert counted_as("2001:db8:1:3::1") != counted_as("2001:db8:1:2::1")
    assert counted_as("::ffff:10.0.0.1") == "10.0.0.1"
    assert counted_as("fe80::1%eth0") == "fe80::/64"
    assert counted_as("testclient") == "testclient"
