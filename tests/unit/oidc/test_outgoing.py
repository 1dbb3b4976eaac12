"""Where requests to identity providers may go, decided before any connection is made."""

import socket

import pytest

from kong_app_auth.oidc.addresses import is_loopback, is_permitted
from kong_app_auth.oidc.outgoing import Answer, ForbiddenAddress, Outgoing, Unreachable, from_environment

PUBLIC = ["8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808"]
PRIVATE = [
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255"),
    *("100.100.100.200", "fc00::1", "fd00:ec2::254", "::ffff:10.0.0.1", "::ffff:192.168.1.1"),
]
LOOPBACK = ["127.0.0.1", "127.255.0.1", "::1", "::ffff:127.0.0.1"]
NEVER = [
    *("0.0.0.0", "0.1.2.3", "169.254.169.254", "168.63.129.16", "192.0.0.192", "192.0.2.1", "192.88.99.1"),
    *("198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"),
    *("::", "fe80::1", "fec0::1", "ff02::1", "::ffff:169.254.169.254", "::7f00:1", "100::1", "5f00::1"),
    *("2001:db8::1", "3fff::1", "2001::1", "2001:20::1", "2002:7f00:1::", "2002:808:808::"),
    *("64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"),
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_permitted(address: str) -> None:
    assert is_permitted(address, private=False, loopback=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_permitted_where_an_operator_wants_it(address: str) -> None:
    assert not is_permitted(address, private=False, loopback=True)
    assert is_permitted(address, private=True, loopback=False)


@pytest.mark.parametrize("address", LOOPBACK)
def test_this_machine_is_permitted_where_an_operator_wants_it(address: str) -> None:
    assert is_loopback(address)
    assert not is_permitted(address, private=True, loopback=False)
    assert is_permitted(address, private=False, loopback=True)


@pytest.mark.parametrize("address", NEVER)
def test_addresses_that_are_never_permitted(address: str) -> None:
    assert not is_permitted(address, private=True, loopback=True)


def resolving(*addresses: str) -> Outgoing:
    """A client for which every name has these addresses; with loopback and private ones forbidden."""
    return Outgoing(resolve=lambda _host, _port: list(addresses))


def get(outgoing: Outgoing, url: str) -> Answer:
    return outgoing.request("GET", url, timeout=5, max_bytes=1000)


@pytest.mark.parametrize(
    "url",
    [
        "http://idp.example/",
        "ftp://idp.example/",
        "file:///etc/passwd",
        "gopher://idp.example/",
        "//idp.example/",
        "idp.example",
        "",
        "https://",
        "https:///path",
        "https://user:secret@idp.example/",
        "https://user@idp.example/",
        "https://idp.example@169.254.169.254/",
        "https://idp.example:0/",
        "https://idp.example:99999/",
        "https://idp.example:port/",
        "https://[::1/",
        "https://[fe80::1%25eth0]/",
        "https://idp.example\\@127.0.0.1/",
        "https://idp.example/a b",
        "https://idp.example/a\r\nHost: other",
        "https://idp.example/\x00",
        "https://bücher.example/",
        "https://idp.example/" + "a" * 2048,
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.1/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::ffff:127.0.0.1]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://100.64.0.1/",
        "https://0.0.0.0/",
    ],
    ids=lambda url: repr(url)[:48],
)
def test_urls_that_lead_where_no_request_may_go(url: str) -> None:
    with pytest.raises(ForbiddenAddress) as refused:
        get(Outgoing(), url)
    assert not refused.value.may_have_arrived
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
def test_other_ways_to_write_this_machine_are_resolved_and_refused(host: str) -> None:
    with pytest.raises(ForbiddenAddress):
        get(Outgoing(), f"https://{host}/")


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("169.254.169.254", "10.0.0.1"), ("fe80::1", "::")])
def test_a_name_that_leads_into_our_network_is_refused(addresses: tuple[str, ...]) -> None:
    with pytest.raises(ForbiddenAddress):
        get(resolving(*addresses), "https://idp.example/")


def test_http_is_for_this_machine_alone() -> None:
    outgoing = Outgoing(allow_private=True, allow_http_loopback=True, resolve=lambda _host, _port: ["10.0.0.1"])
    with pytest.raises(ForbiddenAddress):
        get(outgoing, "http://idp.example/")
    with pytest.raises(ForbiddenAddress, match="https"):
        get(Outgoing(allow_private=True), "http://127.0.0.1/")


def test_a_name_that_nobody_knows() -> None:
    def resolve(_host: str, _port: int) -> list[str]:
        raise socket.gaierror("secret.example")

    with pytest.raises(Unreachable) as failed:
        get(Outgoing(resolve=resolve), "https://secret.example/")
    assert failed.value.detail == "its name cannot be resolved"
    assert not isinstance(failed.value, ForbiddenAddress)


@pytest.mark.parametrize(
    ("text", "allowed"), [("true", True), ("1", True), (" YES ", True), ("", False), ("0", False), ("off", False)]
)
def test_the_environment_says_what_is_allowed(monkeypatch: pytest.MonkeyPatch, text: str, allowed: bool) -> None:
    monkeypatch.setenv("APP_AUTH_IDP_ALLOW_PRIVATE", text)
    outgoing = from_environment()
    assert outgoing._allow_private is allowed
    assert not outgoing._allow_http_loopback


def test_what_the_environment_says_wrongly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_AUTH_IDP_ALLOW_HTTP_LOOPBACK", "maybe")
    with pytest.raises(ValueError, match="APP_AUTH_IDP_ALLOW_HTTP_LOOPBACK"):
        from_environment()
    monkeypatch.setenv("APP_AUTH_IDP_ALLOW_HTTP_LOOPBACK", "true")
    monkeypatch.setenv("APP_AUTH_IDP_CA_FILE", "/no/such/file")
    with pytest.raises(OSError):
        from_environment()


def test_an_answer_does_not_show_what_is_in_it() -> None:
    assert repr(Answer(200, {"x": "secret"}, b"secret")) == "Answer(200, 6 bytes)"
