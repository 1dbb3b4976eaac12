"""The file of gateways: what it may say, and one line about what it may not, without any token."""

from pathlib import Path

import pytest

from kong_app_auth.sync.kong.gateways import BadGateways, Mode, read_gateways
from kong_app_auth.sync.kong.plan import OnUnlink

SECRET = "s3cr3t-admin-token"


def read(tmp_path: Path, text: str) -> object:
    file = tmp_path / "kong.yaml"
    file.write_text(text.replace("DIR", str(tmp_path)))
    return read_gateways(file)


def test_everything_that_a_gateway_has(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    (tmp_path / "ca.pem").touch()
    text = """
gateways:
  - {name: edge, admin_url: "https://kong.internal:8444/", token_file: DIR/token, ca_file: DIR/ca.pem,
     client_cert: DIR/ca.pem, client_key: DIR/ca.pem, on_unlink: block, config: {realm: x, max_staleness: 60}}
  - {name: nodes, mode: db_less, admin_urls: ["http://a:8001", "http://b:8001"], declarative_file: kong.yml}
"""
    edge, nodes = read(tmp_path, text)  # type: ignore[misc]
    assert (edge.urls, edge.mode, edge.on_unlink) == (("https://kong.internal:8444",), Mode.TRADITIONAL, OnUnlink.BLOCK)
    assert edge.read_token() == SECRET
    assert edge.policy("eu").plugin("s").config == {"realm": "x", "max_staleness": 60, "region": "eu"}
    assert (len(nodes.urls), nodes.mode, nodes.on_unlink, nodes.read_token()) == (2, Mode.DB_LESS, OnUnlink.OPEN, None)


def test_a_token_is_read_anew_and_shown_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("first")
    text = f"""
gateways:
  - {{name: a, admin_url: "http://a", token_file: DIR/token}}
  - {{name: b, admin_url: "http://b", token_variable: KONG_TOKEN}}
  - {{name: c, admin_url: "http://c", token: {SECRET}}}
"""
    monkeypatch.setenv("KONG_TOKEN", "second")
    found = read(tmp_path, text)
    a, b, c = found  # type: ignore[misc]
    assert (a.read_token(), b.read_token(), c.read_token()) == ("first", "second", SECRET)
    (tmp_path / "token").write_text("third")
    assert a.read_token() == "third"
    assert SECRET not in repr(found)


WRONG = {
    "no file": (None, "cannot read"),
    "no YAML": ("gateways: [", "is not YAML: line 1"),
    "nothing": ("", "the file: "),
    "no gateway": ("gateways: []", "gateways: "),
    "unknown field": ("gateways: [{name: a, admin_url: 'http://a', adminurl: x}]", "gateways[0].adminurl: "),
    "no name": ("gateways: [{admin_url: 'http://a'}]", "gateways[0].name: "),
    "bad name": ("gateways: [{name: 'a b', admin_url: 'http://a'}]", "gateways[0].name: "),
    "twice": ("gateways: [{name: a, admin_url: 'http://a'}, {name: a, admin_url: 'http://b'}]", "the same name"),
    "no address": ("gateways: [{name: a}]", "gateways[0]: there is either admin_url"),
    "two addresses": ("gateways: [{name: a, admin_url: 'http://a', admin_urls: ['http://b']}]", "either admin_url"),
    "nodes with a database": ("gateways: [{name: a, admin_urls: ['http://b']}]", "is for mode db_less"),
    "no scheme": ("gateways: [{name: a, admin_url: 'kong:8001'}]", "gateways[0].admin_url: "),
    "a password": (f"gateways: [{{name: a, admin_url: 'http://u:{SECRET}@kong:8001'}}]", "holds no user"),
    "bad port": ("gateways: [{name: a, admin_url: 'http://kong:port'}]", "gateways[0].admin_url: "),
    "bad mode": ("gateways: [{name: a, admin_url: 'http://a', mode: hybrid}]", "gateways[0].mode: "),
    "bad on_unlink": ("gateways: [{name: a, admin_url: 'http://a', on_unlink: shut}]", "gateways[0].on_unlink: "),
    "no declarative file": ("gateways: [{name: a, admin_url: 'http://a', mode: db_less}]", "needs declarative_file"),
    "a file with a database": (
        "gateways: [{name: a, admin_url: 'http://a', declarative_file: x}]",
        "are for mode db_less",
    ),
    "region": ("gateways: [{name: a, admin_url: 'http://a', config: {region: us}}]", "region is set by the daemon"),
    "two tokens": (
        f"gateways: [{{name: a, admin_url: 'http://a', token: {SECRET}, token_variable: X}}]",
        "one of token",
    ),
    "bad token": (
        f"gateways: [{{name: a, admin_url: 'http://a', token: '{SECRET} ü'}}]",
        "gateway a: token holds no token",
    ),
    "no such variable": (
        "gateways: [{name: a, admin_url: 'http://a', token_variable: NOPE}]",
        "token_variable holds no",
    ),
    "no token file": ("gateways: [{name: a, admin_url: 'http://a', token_file: DIR/nope}]", "there is no file"),
    "key alone": ("gateways: [{name: a, admin_url: 'http://a', client_key: DIR/kong.yaml}]", "client_key needs"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_one_line(tmp_path: Path, what: str) -> None:
    text, says = WRONG[what]
    with pytest.raises(BadGateways) as bad:
        read_gateways(tmp_path / "none.yaml") if text is None else read(tmp_path, text)
    said = str(bad.value)
    assert says in said
    assert "\n" not in said
    assert SECRET not in said
