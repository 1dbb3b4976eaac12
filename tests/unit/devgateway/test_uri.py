import pytest

from kong_app_auth.devgateway.uri import escape, normalize, query_arguments


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        (b"/", b"/"),
        (b"/t/Abc%20123%C3%B8%2f/parent/..//test/./", b"/t/Abc 123\xc3\xb8%2F/test/"),
        (b"/a/../../b", b"/b"),
        (b"//", b"/"),
        (b"/a/..", b"/"),
        (b"/a/b/..", b"/a/"),
        (b"/.hidden/a.", b"/.hidden/a."),
        (b"/%zz%4", b"/%zz%4"),
        (b"/\xff", b"/\xff"),
    ],
)
def test_a_path_is_normalized_as_kong_does(path: bytes, normal: bytes) -> None:
    assert normalize(path) == normal


def test_only_what_may_not_stand_in_a_path_is_escaped() -> None:
    assert escape(b"/a b%2F\xff?#") == b"/a%20b%2F%FF%3F%23"


def test_a_query_is_read_as_openresty_does() -> None:
    assert query_arguments(b"a=1&a=2&b&c=&d=%C3%A9+x&=x&&a=3", 100) == {
        b"a": [b"1", b"2", b"3"],
        b"b": True,
        b"c": b"",
        b"d": b"\xc3\xa9 x",
    }


def test_arguments_over_the_limit_are_missing() -> None:
    assert query_arguments(b"a=1&b=2&c=3", 2) == {b"a": b"1", b"b": b"2"}
