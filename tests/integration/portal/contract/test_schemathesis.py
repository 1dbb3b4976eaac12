"""schemathesis, from Konnect's documents against the live server, with all its checks on."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kong_app_auth.portal.plane import utc_now
from tests.control_plane.clients import Clients
from tests.control_plane.contract import BASES, DOCUMENTS
from tests.control_plane.inhabited import inhabited
from tests.control_plane.live import served
from tests.control_plane.settings import control_plane, sqlite

HERE = Path(__file__).parent
EXAMPLES = int(os.environ.get("CONTRACT_EXAMPLES", "3"))
"""Random requests an operation, beside those of the documents' examples and the systematic ones."""

CHOICES = {key: [()] for key in BASES} | {
    # Signing out ends the session that the others need, so it comes last.
    "dev-portal-v3.yaml": [("--exclude-operation-id=logout",), ("--include-operation-id=logout",)]
}
"""Which operations, run after run."""


@pytest.mark.parametrize("document", list(BASES))
def test_the_live_server_holds_the_contract(document: str, tmp_path: Path) -> None:
    with control_plane(sqlite(tmp_path), utc_now) as plane, served(plane) as url:
        world = inhabited(Clients(plane))
        base = url + (BASES[document] or f"/p/{world.slug}")
        identity = [f"--header=Authorization: Bearer {world.operator_token}"] if BASES[document] else []
        for choice in CHOICES[document]:
            command = [sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run"]
            ran = subprocess.run(
                [
                    *command,
                    DOCUMENTS / document,
                    *choice,
                    f"--url={base}",
                    *identity,
                    "--checks=all",
                    f"--max-examples={EXAMPLES}",
                    "--phases=examples,coverage,fuzzing",
                    "--seed=20261123",
                    "--no-color",
                ],
                env={
                    **os.environ,
                    "SCHEMATHESIS_HOOKS": "hooks",
                    "PYTHONPATH": str(HERE),
                    "CONTRACT_IDS": json.dumps(world.ids),
                    "PORTAL_ACCESS_TOKEN": world.cookie.partition("=")[2],
                },
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
            )
            assert ran.returncode == 0, ran.stdout[-20_000:] + ran.stderr[-5_000:]
