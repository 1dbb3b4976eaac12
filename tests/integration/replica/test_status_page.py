"""The status page between processes."""

import subprocess
import sys

from kong_app_auth.replica.status import StatusPage, StatusView

_WRITER = """
import sys
from pathlib import Path
from kong_app_auth.replica.status import StatusPage
page = StatusPage(Path(sys.argv[1]))
for _ in range(100_000):
    page.heard(1e9)
    page.put_in_force(7) if _ % 1000 == 0 else None
    page.begin_change()
    page.end_change()
"""


def test_a_reader_never_sees_a_number_half_written(tmp_path):
    """`struct.pack_into` zeroes what it is about to write: a reader in between took the copy for one never heard of."""
    page = StatusPage(tmp_path)
    page.put_in_force(7)
    page.heard(1e9)
    page.close()
    view = StatusView.open(tmp_path)
    before = view.changes()
    with subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)]) as writer:
        while writer.poll() is None:
            for _ in range(1000):
                assert (view.word(), view.last_heard()) == (15, 1e9)
                now = view.changes()
                assert now >= before
                before = now
    assert writer.returncode == 0
    assert before >= 200_000
