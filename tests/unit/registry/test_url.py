import pytest

from kong_app_auth.registry.url import Kind, parse, redact


@pytest.mark.parametrize(
    ("url", "kind", "tls", "hosts", "db"),
    [
        ("redis://h", Kind.SERVER, False, [("h", 6379)], 0),
        ("valkey://h:1", Kind.SERVER, False, [("h", 1)], 0),
        ("rediss://h:1/3", Kind.SERVER, True, [("h", 1)], 3),
        ("valkeys://h/?db=3", Kind.SERVER, True, [("h", 6379)], 3),
        ("redis://[::1]:7/0", Kind.SERVER, False, [("::1", 7)], 0),
        ("redis+sentinel://a,b:2/name", Kind.SENTINEL, False, [("a", 26379), ("b", 2)], 0),
        ("rediss+sentinel://a/name/4", Kind.SENTINEL, True, [("a", 26379)], 4),
        ("redis+cluster://a,b:2", Kind.CLUSTER, False, [("a", 6379), ("b", 2)], 0),
        ("valkeys+cluster://a/0", Kind.CLUSTER, True, [("a", 6379)], 0),
        ("unix:///run/s?db=2", Kind.SOCKET, False, [], 2),
    ],
)
def test_url_is_taken_apart(url, kind, tls, hosts, db):
    address = parse(url)
    assert (address.kind, address.tls, address.hosts, address.db) == (kind, tls, hosts, db)


def test_user_and_password_are_percent_decoded():
    address = parse("redis://us%40er:p%3Aa%2Fss@h")
    assert (address.username, address.password) == ("us@er", "p:a/ss")
    assert parse("redis://:only@h").username is None
    assert parse("redis://h").password is None


def test_sentinels_have_their_own_password():
    address = parse("redis+sentinel://u:p@h/name?sentinel_username=su&sentinel_password=sp")
    assert address.sentinel == {"username": "su", "password": "sp"}
    assert address.master == "name"
    assert parse("unix:///run/s").path == "/run/s"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://h",
        "redis:h",
        "redis://",
        "redis://h:0",
        "redis://h:65536",
        "redis://h:port",
        "redis://h/name",
        "redis://h/1/2",
        "redis://a,b",
        "redis://h?hunter2=1",
        "redis://h?sentinel_password=hunter2",
        "redis+sentinel://h",
        "redis+sentinel://h/name/x",
        "redis+cluster://h/1",
        "unix://h/path",
        "unix://",
        "redis://u:hunter2@h/name",
        "redis://u:hunter2@x@h",
        "redis://u:hunter2@h:99999/0?sentinel_password=hunter2",
        "redis://" + "h" * 5000,
    ],
)
def test_wrong_url_is_one_line_without_the_password(url):
    with pytest.raises(ValueError) as caught:
        parse(url)
    text = str(caught.value)
    assert "hunter2" not in text
    assert "\n" not in text
    assert len(text) < 300
    assert caught.value.__suppress_context__


def test_redacted_url_keeps_what_helps_and_no_secret():
    url = "rediss+sentinel://user:hunter2@a:1,b:2/name/3?sentinel_password=hunter2"
    assert redact(url) == "rediss+sentinel://a:1,b:2/name/3"
    assert "hunter2" not in repr(parse(url))
    assert redact("hunter2") == "(not a URL of Redis)"


@pytest.mark.parametrize("url", ["redis://:s3cret", "redis://user:s3cret", "rediss://h:1,:s3cret"])
def test_a_password_in_the_place_of_a_host_is_not_shown(url: str) -> None:
    assert "s3cret" not in redact(url)
