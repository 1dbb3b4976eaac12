"""What a watched file says at each look."""

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kong_app_auth.registry.contents import Contents
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.watch import WatchedFile


def text(name: str = "A") -> str:
    return f'_format_version: "1.0"\nregion: eu\napis: [{{name: {name}}}]\n'


def name_in(found: Contents | Refusal | None) -> str:
    assert isinstance(found, Contents)
    (api,) = found.apis.values()
    return api.name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "apps.yaml"


@pytest.fixture
def watched(path: Path) -> WatchedFile:
    """A file that has been read once."""
    path.write_text(text())
    made = WatchedFile(path, "eu")
    assert made.look() is None
    assert name_in(made.look()) == "A"
    assert made.look() is None
    return made


def test_a_change_is_given_once_at_the_second_look(watched: WatchedFile, path: Path) -> None:
    path.write_text(text("Longer"))
    assert watched.look() is None
    assert name_in(watched.look()) == "Longer"
    assert watched.look() is None


def test_a_file_still_growing_is_not_read(watched: WatchedFile, path: Path) -> None:
    with path.open("w") as file:
        for piece in text("Longer"):
            file.write(piece)
            file.flush()
            assert watched.look() is None
    assert name_in(watched.look()) == "Longer"


def test_a_file_renamed_into_its_place_is_seen(watched: WatchedFile, path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_text(text("B"))
    other.replace(path)
    watched.look()
    assert name_in(watched.look()) == "B"


def test_an_edit_that_keeps_size_and_time_is_seen(watched: WatchedFile, path: Path) -> None:
    before = path.stat()
    path.write_text(text("B"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    watched.look()
    assert name_in(watched.look()) == "B"


def test_the_swapped_symlinks_of_a_config_map_are_seen(tmp_path: Path) -> None:
    for version, name in (("..1", "A"), ("..2", "B")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "apps.yaml").write_text(text(name))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "apps.yaml").symlink_to("..data/apps.yaml")
    watched = WatchedFile(tmp_path / "apps.yaml", "eu")
    watched.look()
    assert name_in(watched.look()) == "A"
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    watched.look()
    assert name_in(watched.look()) == "B"


def test_a_broken_edit_is_a_refusal_once_and_a_good_one_clears_it(watched: WatchedFile, path: Path) -> None:
    path.write_text("a: [")
    watched.look()
    assert isinstance(watched.look(), Refusal)
    assert watched.look() is None
    path.write_text(text("B"))
    watched.look()
    assert name_in(watched.look()) == "B"


def test_a_missing_file_says_nothing_and_is_logged_once_each_way(watched: WatchedFile, path: Path) -> None:
    with capture_logs() as logs:
        path.unlink()
        assert [watched.look() for _ in range(3)] == [None, None, None]
        path.write_text(text("B"))
        watched.look()
        assert name_in(watched.look()) == "B"
    assert [(log["event"], log.get("problem")) for log in logs] == [
        ("apps file cannot be read, the last good state stays in force", "No such file or directory"),
        ("apps file is readable again", None),
    ]


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_waited_for(path: Path, make: object) -> None:
    make(path)  # type: ignore[operator]
    watched = WatchedFile(path, "eu")
    with capture_logs() as logs:
        assert [watched.look() for _ in range(3)] == [None, None, None]
    assert [log["problem"] for log in logs] == ["it is not a regular file"]
