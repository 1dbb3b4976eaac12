import pytest

from kong_app_auth.replica.status import FILE_NAME, SIZE, StatusPage, StatusView


@pytest.fixture
def page(tmp_path):
    page = StatusPage(tmp_path)
    yield page
    page.close()


def test_new_page_is_not_trusted_and_has_heard_nothing(tmp_path, page):
    assert (page.generation, page.trusted, page.last_heard) == (0, False, 0.0)
    view = StatusView.open(tmp_path)
    assert (view.word(), view.last_heard()) == (0, 0.0)


def test_reader_sees_at_once_what_the_follower_notes(tmp_path, page):
    view = StatusView.open(tmp_path)
    page.put_in_force(7)
    page.heard(1234.5)
    assert (view.word(), view.last_heard()) == (15, 1234.5)
    page.distrust()
    assert (view.word(), view.last_heard()) == (14, 0.0)
    assert page.generation == 7


def test_page_survives_its_follower(tmp_path, page):
    page.put_in_force(3)
    page.heard(99.0)
    page.close()
    again = StatusPage(tmp_path)
    assert (again.generation, again.trusted, again.last_heard) == (3, True, 99.0)
    again.close()


@pytest.mark.parametrize("content", [b"", b"x" * SIZE, b"kaastat1", b"kaastat1".ljust(SIZE + 1, b"\0")])
def test_what_is_no_status_page_is_not_read_and_is_replaced(tmp_path, content):
    (tmp_path / FILE_NAME).write_bytes(content)
    assert StatusView.open(tmp_path) is None
    page = StatusPage(tmp_path)
    assert (page.generation, page.trusted) == (0, False)
    assert StatusView.open(tmp_path) is not None
    page.close()


def test_no_page_is_no_view(tmp_path):
    assert StatusView.open(tmp_path) is None
    assert StatusView.open(tmp_path / "nowhere") is None


def test_page_that_was_removed_or_replaced_is_noticed(tmp_path, page):
    view = StatusView.open(tmp_path)
    assert page.in_place()
    assert view.in_place()
    (tmp_path / FILE_NAME).unlink()
    assert not page.in_place()
    other = StatusPage(tmp_path)
    assert not page.in_place()
    assert not view.in_place()
    other.close()


def test_page_is_for_its_owner_only_and_has_its_blocks(tmp_path, page):
    found = (tmp_path / FILE_NAME).stat()
    assert found.st_mode & 0o777 == 0o600
    assert found.st_size == SIZE
    assert found.st_blocks > 0
    assert [entry.name for entry in tmp_path.iterdir()] == [FILE_NAME]
