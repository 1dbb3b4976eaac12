"""`make demo`: it shows what was promised, and leaves nothing behind, however it ends."""

import os
import re
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.servers.process import PATIENCE, start, wait_until
from tests.system.processes import MARK, end_marked, marked, send

ROOT = Path(__file__).parents[3]
TOUR_TAKES_AT_MOST = 90.0
_STAYS = "Ctrl-C ends it."


class Demo:
    """A demo in a process group of its own, as a shell starts it."""

    def __init__(self, process: "subprocess.Popen[bytes]", mark: str, directory: Path) -> None:
        self.process = process
        self.mark = mark
        self.directory = directory

    def output(self) -> str:
        return (self.directory / "output").read_text(errors="replace")

    def left(self) -> list[str]:
        """What is still running, and what still lies about."""
        return [each.command for each in marked(self.mark)] + [file.name for file in self.temporary.iterdir()]

    @property
    def temporary(self) -> Path:
        """Where it keeps its files."""
        return self.directory / "tmp"

    def interrupt(self) -> None:
        """Press Ctrl-C: the terminal sends SIGINT to the whole group in the foreground."""
        os.killpg(self.process.pid, signal.SIGINT)

    def wait(self, patience: float = PATIENCE) -> int:
        return self.process.wait(patience)


@contextmanager
def demo(*command: str) -> Generator[Demo]:
    with tempfile.TemporaryDirectory(prefix="kaa-", ignore_cleanup_errors=True) as name:
        directory, mark = Path(name), uuid.uuid4().hex
        (directory / "tmp").mkdir()
        environment = {**os.environ, MARK: mark, "TMPDIR": str(directory / "tmp"), "PYTHONUNBUFFERED": "1"}
        process = start(
            command or ("make", "demo"), directory / "output", env=environment, cwd=ROOT, start_new_session=True
        )
        try:
            yield Demo(process, mark, directory)
        except BaseException:
            print((directory / "output").read_text(errors="replace"))
            raise
        finally:
            end_marked(mark)
            process.wait()


@pytest.fixture(scope="module")
def demos() -> Iterator[tuple[Demo, Demo]]:
    """Two demos at the same time, for most of a tour is waiting: one ends after the tour, one stays."""
    with ExitStack() as stack:
        once = stack.enter_context(demo("make", "demo", "ONCE=1"))
        wait_until(lambda: "up after" in once.output(), "the first demo is up", TOUR_TAKES_AT_MOST)
        yield once, stack.enter_context(demo())


def test_tour_ends_with_all_answers_as_promised_and_nothing_left(demos: tuple[Demo, Demo]) -> None:
    once, _ = demos
    assert once.wait(TOUR_TAKES_AT_MOST) == 0
    output = once.output()
    assert "all answers as promised" in output
    statuses = [int(status) for status in re.findall(r"^     (\d{3})\b", output, re.MULTILINE)]
    tokens = [] if "no tokens in this demo" in output else [200, 401]
    assert statuses == [401, 200, 200, 403, 403, 401, 401, *tokens, 200, 401, 401, 200, 503, 401, 401]
    assert re.search(r"refused \d+ ms after it was revoked by an operator over the API", output)
    assert "made-up" not in "".join(line for line in output.splitlines() if "upstream sees" in line)
    assert once.left() == []


def test_ctrl_c_while_it_stays_leaves_nothing(demos: tuple[Demo, Demo]) -> None:
    _, stays = demos
    wait_until(
        lambda: _STAYS in stays.output() or stays.process.poll() is not None, "the demo stays up", TOUR_TAKES_AT_MOST
    )
    assert "all answers as promised" in stays.output()
    curl = re.search(r"curl -i -H 'apikey: (\S+)' (http://\S+)", stays.output())
    assert curl
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"apikey: {curl[1]}", curl[2]]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "200"
    stays.interrupt()
    stays.wait()
    assert "nothing is left running" in stays.output()
    assert "Traceback" not in stays.output()
    assert stays.left() == []


@pytest.mark.parametrize("number", [3, 6])
def test_ctrl_c_while_it_starts_leaves_nothing(number: int) -> None:
    """Interrupted when so many processes run: make, its shell and the demo are the first three."""
    with demo() as starts:
        wait_until(lambda: len(marked(starts.mark)) >= number or starts.process.poll() is not None)
        starts.interrupt()
        starts.wait()
        assert "Traceback" not in starts.output()
        assert starts.left() == []


def test_termination_and_impatience_leave_nothing() -> None:
    with demo(".venv/bin/kong-app-auth", "demo") as starts:
        wait_until(lambda: len(marked(starts.mark)) >= 6, "the parts are being started")
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT, signal.SIGTERM):
            send(starts.process.pid, number)
        assert starts.wait() == 0
        assert starts.left() == []
