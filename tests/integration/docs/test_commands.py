"""Every command in the documentation is run, in the order of its page, in an empty directory."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.process import free_port
from tests.servers.redis import RedisServer

ROOT = Path(__file__).parents[3]
PAGES = sorted(path.relative_to(ROOT) for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
QUICK_START = Path("docs/quick-start.md")
AFTER_QUICK_START = {Path(f"docs/{name}.md") for name in ("managed-plugin", "operations", "redis", "troubleshooting")}
"""Pages whose reader has a data path running already."""
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


_END_ALL = "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT\n"


def shell(page: Path) -> str:
    """The page's shell commands, one block after another."""
    return "\n".join(re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL))


def run(script: str, directory: Path, redis_port: int) -> str:
    """Run commands as a reader would, but on free ports; what they leave running is ended."""
    proxy, admin, portal, metrics = (free_port() for _ in range(4))
    for port, instead in ((6379, redis_port), (8000, proxy), (8001, admin), (8080, portal), (8190, metrics)):
        script = script.replace(f":{port}", f":{instead}")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("APP_AUTH_")}
    environment |= {
        "APP_AUTH_PROXY_LISTEN": f"127.0.0.1:{proxy}",
        "APP_AUTH_ADMIN_LISTEN": f"127.0.0.1:{admin}",
        "APP_AUTH_METRICS_ADDRESS": f"127.0.0.1:{metrics}",
        "APP_AUTH_PORTAL_LISTEN": f"127.0.0.1:{portal}",
    }
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    shell = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", _END_ALL + script],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = shell.communicate(timeout=90)
    finally:
        if shell.poll() is None:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.communicate()
    assert shell.returncode == 0, output
    return output


@pytest.mark.parametrize("page", [page for page in PAGES if shell(page)], ids=str)
def test_the_commands_of_a_page_work(page: Path, tmp_path: Path, valkey: RedisServer) -> None:
    before = shell(QUICK_START) + "\n" if page in AFTER_QUICK_START else ""
    output = run(before + shell(page), tmp_path, valkey.port)
    if page == QUICK_START:
        statuses = re.findall(r"^HTTP/1.1 (\d+)", output, re.MULTILINE)
        assert statuses == ["401", "200"], output
        assert "DIFFERS" not in output
    if page == Path("docs/plugin-server.md"):
        assert '"Protocol":"ProtoBuf:1"' in output


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    # What `make bench` writes is there from its first run on.
    missing = [link for link in LINK.findall((ROOT / page).read_text()) if not (ROOT / page.parent / link).exists()]
    assert missing == []


def test_readme_names_only_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text())) <= targets
