"""Every operation of the contract is served, and the page that says so is true."""

from scripts.operations_table import FILE, document
from tests.control_plane.contract import operations


def test_the_page_of_operations_is_what_the_routes_are() -> None:
    assert FILE.read_text() == document(), "make docs"


def test_every_operation_of_the_contract_is_served() -> None:
    page = document()

    assert "**no**" not in page
    assert len(operations()) == 126
