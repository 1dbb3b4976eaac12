"""A plugin for tests: its configuration says in `do` which of these methods an event runs."""

import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

VERSION = "1"

version = "1.2.3"
priority = 960
Schema = [{"do": {"type": "string", "default": "nothing", "description": "What an event does."}}]


class Plugin:
    """Does what it is told."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        if config.get("constructor") == "raises":
            raise ValueError("a wrong configuration")
        if config.get("constructor") == "exits":
            sys.exit(3)

    def access(self, kong: Any) -> None:
        getattr(self, self.config.get("do", "nothing"))(kong)

    def nothing(self, kong: Any) -> None:
        """Let it pass."""

    def pid(self, kong: Any) -> None:
        """Say which worker, of which version of this file, answers."""
        kong.response.set_header("X-Pid", str(os.getpid()))
        kong.response.set_header("X-Version", VERSION)
        kong.response.set_header("X-Setting", os.environ.get("PROBE_SETTING", ""))

    def allow(self, kong: Any) -> None:
        """What an authentication plugin does with a good key: one question, then calls that return nothing."""
        headers = kong.request.get_headers(1000)
        kong.service.request.set_headers({"x-application-id": "app-1", "x-version": VERSION, **headers})
        kong.client.authenticate(None, {"id": "app-1"})
        kong.response.set_header("X-Pid", str(os.getpid()))

    def deny(self, kong: Any) -> None:
        kong.response.exit(401, b'{"message":"Unauthorized"}', {"WWW-Authenticate": "Key"})

    def deny_with_calls_before(self, kong: Any) -> None:
        kong.response.set_header("X-Pid", str(os.getpid()))
        kong.ctx.shared.set("a", "b")
        self.deny(kong)

    def deny_and_go_on(self, kong: Any) -> None:
        """Nothing after an exit runs, not even where the plugin catches every exception."""
        with suppress(Exception):
            self.deny(kong)
        Path(self.config["file"]).write_text("went on")

    def deny_and_swallow(self, kong: Any) -> None:
        """Catch even what unwinds an event, and try to let the request pass."""
        with suppress(BaseException):
            self.deny(kong)

    def echo(self, kong: Any) -> None:
        """Send all headers to the upstream as they came."""
        kong.service.request.set_headers(kong.request.get_headers(1000))

    def raises(self, kong: Any) -> None:
        kong.response.set_header("X-Never", "sent")
        errors = {
            "ValueError": ValueError("apikey=secret"),
            "OSError": OSError(2, "no such file"),
            "ConnectionRefusedError": ConnectionRefusedError("a backend"),
            "BrokenPipeError": BrokenPipeError("a backend"),
            "TimeoutError": TimeoutError("a backend"),
            "BlockingIOError": BlockingIOError("a backend"),
            "RecursionError": RecursionError("deep"),
            "MemoryError": MemoryError(),
            "SystemExit": SystemExit(0),
            "KeyboardInterrupt": KeyboardInterrupt(),
            "GeneratorExit": GeneratorExit(),
        }
        raise errors[self.config["error"]]

    def authenticate_nobody(self, kong: Any) -> None:
        kong.client.authenticate(None, None)

    def sleep(self, kong: Any) -> None:
        """Wait longer than the deadline allows, until a file is there."""
        if self.config.get("ask_first"):
            kong.request.get_method()
        if "started" in self.config:
            Path(self.config["started"]).touch()
        until = Path(self.config["until"])
        while not until.exists():
            time.sleep(0.005)
        if self.config.get("call_after"):
            kong.response.set_header("X-Late", "1")
        if "done" in self.config:
            Path(self.config["done"]).touch()

    def owe(self, kong: Any) -> None:
        """Leave many replies owed when the event ends."""
        for number in range(int(self.config.get("calls", 5))):
            kong.response.set_header("X-Number", str(number))

    def owe_and_ask(self, kong: Any) -> None:
        kong.response.set_header("X-Number", "1")
        kong.request.get_method()

    def backwards(self, kong: Any) -> None:
        """Ask for one thing; whatever the answer, a str of it goes back."""
        kong.response.set_header("X-Got", repr(kong.request.get_header("apikey")))

    def die(self, kong: Any) -> None:
        os._exit(7)
