from collections.abc import Iterator

import pytest

from tests.servers.replica import Reader, reader_process


@pytest.fixture(scope="session")
def reader() -> Iterator[Reader]:
    """A worker's process, which reads whatever replica it is asked about."""
    with reader_process() as process:
        yield process
