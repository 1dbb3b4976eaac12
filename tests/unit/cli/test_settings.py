"""Settings: where they come from, which goes first, and what is said of a wrong one."""

from pathlib import Path

import pytest

from kong_app_auth.settings import MAX_FILE, LogLevel, Settings, SettingsError, load

SECRET = "hunter2-and-more"


def written(path: Path, text: str) -> Path:
    file = path / "settings.yaml"
    file.write_text(text)
    return file


def test_without_anything_the_defaults_hold() -> None:
    settings = load({}, None)
    assert settings.region is None
    assert settings.socket_mode == 0o660
    assert settings.log_level is LogLevel.INFO


def test_flags_go_before_the_environment_and_the_environment_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "region: from-file\nworkers: 3\nsocket_group: from-file\n")
    monkeypatch.setenv("APP_AUTH_REGION", "from-environment")
    monkeypatch.setenv("APP_AUTH_WORKERS", "4")
    settings = load({"region": "from-flag"}, file)
    assert (settings.region, settings.workers, settings.socket_group) == ("from-flag", 4, "from-file")


def test_an_empty_variable_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_AUTH_REGION", "")
    assert load({}, written(tmp_path, "region: eu")).region == "eu"


def test_one_file_is_forgotten_before_the_next_is_read(tmp_path: Path) -> None:
    assert load({}, written(tmp_path, "region: eu")).region == "eu"
    assert load({}, None).region is None


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert load({}, written(tmp_path, "# nothing\n")) == load({}, None)


@pytest.mark.parametrize(
    ("text", "mode"),
    [("0660", 0o660), ("'0660'", 0o660), ("'660'", 0o660), ("0o777", 0o777), ("'0o600'", 0o600), ("0", 0)],
)
def test_modes_in_a_file_are_octal(tmp_path: Path, text: str, mode: int) -> None:
    assert load({}, written(tmp_path, f"socket_mode: {text}")).socket_mode == mode


@pytest.mark.parametrize("text", ["660", "0660", "0o660"])
def test_modes_in_a_flag_are_octal(text: str) -> None:
    assert load({"socket_mode": text}, None).socket_mode == 0o660


@pytest.mark.parametrize("text", ["off", "'off'", "''"])
def test_an_address_can_be_off_in_a_file(tmp_path: Path, text: str) -> None:
    assert load({}, written(tmp_path, f"metrics_address: {text}")).metrics_address is None


def test_an_address_can_be_off_in_a_flag() -> None:
    assert load({"metrics_address": "off"}, None).metrics_address is None
    assert load({"metrics_address": "[::1]:8190"}, None).metrics_address == "[::1]:8190"


WRONG = [
    ("region", "EU"),
    ("region", "e" * 33),
    ("log_level", "loud"),
    ("redis_url", f"http://user:{SECRET}@host/"),
    ("redis_url", f"redis://user:{SECRET}@host:99999/0"),
    ("redis_url", f"redis://user:{SECRET}"),
    ("redis_url", SECRET),
    ("replica_map_size", "1024"),
    ("replica_map_size", "4G"),
    ("socket_mode", "999"),
    ("socket_mode", "1777"),
    ("socket_mode", "rw"),
    ("socket_mode", "-1"),
    ("workers", "0"),
    ("workers", "257"),
    ("workers", "2.5"),
    ("max_connections", "0"),
    ("deadline", "0.01"),
    ("deadline", "61"),
    ("deadline", "nan"),
    ("liveness", "0.1"),
    ("metrics_address", "8190"),
    ("metrics_address", ":8190"),
    ("metrics_address", "host:port"),
    ("metrics_address", "host:65536"),
    ("proxy_listen", "host:"),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_is_told_by_its_name_in_one_line(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as by_flag:
        load({name: value}, None)
    monkeypatch.setenv(f"APP_AUTH_{name.upper()}", value)
    with pytest.raises(SettingsError) as by_environment:
        load({}, None)
    assert str(by_flag.value).startswith(f"{name} (by --{name.replace('_', '-')}): ")
    assert str(by_environment.value).startswith(f"{name} (by APP_AUTH_{name.upper()} or the file): ")
    for error in (by_flag, by_environment):
        assert "\n" not in str(error.value)
        assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no_such: 1", "there is no setting no_such"),
        ("1: 2", "there is no setting 1"),
        ("- region", "are not names with values"),
        ("just text", "are not names with values"),
        ("a: [", "are not YAML: line 1, column 5"),
        (f"region: eu\nredis_password: *{SECRET}", "are not YAML: line 2, column 17"),
        (f"redis_password: !{SECRET} x", "are not YAML: line 1, column 17"),
        (f"redis_password: '{SECRET}", "are not YAML"),
        (f"redis_password: [{SECRET}]", "redis_password"),
        (f"redis_password: {{{SECRET}: {SECRET}}}", "redis_password"),
        ("redis_password: 12345678", "redis_password"),
        ("region: no", "region"),
        ("[" * 5000, "are not YAML"),
    ],
)
def test_a_wrong_file_is_told_in_one_line_without_what_is_in_it(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        load({}, written(tmp_path, text))
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)
    assert "12345678" not in str(error.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"region: \xff")
    (tmp_path / "large").write_bytes(b"#" * (MAX_FILE + 1))
    for name, says in (("none", "No such file"), ("", "Is a directory"), ("latin", "not UTF-8"), ("large", "larger")):
        with pytest.raises(SettingsError, match=says):
            load({}, tmp_path / name)


def test_nothing_shows_a_password() -> None:
    settings = load({"redis_password": SECRET, "redis_url": f"redis://u:{SECRET}@h/0"}, None)
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump()}"


def test_a_region_that_is_missing_is_asked_for() -> None:
    with pytest.raises(SettingsError, match="--region or APP_AUTH_REGION"):
        Settings().the_region()
