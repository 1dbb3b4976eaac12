"""The settings of a plugin server."""

import msgspec

from plugin_server.logs import LEVELS


class Companion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A process that runs beside the workers and is kept running.

    It inherits a pipe whose number is in the environment variable `PLUGIN_SERVER_WATCHDOG_FD`: it must write to it at
    least every `liveness` seconds, or it is taken for hung and replaced. When the pipe breaks the server is gone.
    """

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = {}
    liveness: float = 10.0

    def __repr__(self) -> str:
        """Leave the environment out: passwords are in there."""
        return f"Companion(name={self.name!r}, command={self.command!r})"


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a server needs to know. Times are seconds; `metrics_address` is `host:port`, None for no such server."""

    plugin: str
    socket: str
    socket_mode: int = 0o660
    socket_group: str | None = None
    workers: int = 2
    max_connections: int = 1024
    deadline: float = 2.0
    liveness: float = 2.0
    metrics_address: str | None = None
    log_level: str = "info"
    environment: dict[str, str] = {}
    companions: tuple[Companion, ...] = ()

    def check(self) -> str | None:
        """Say in one line what is wrong, None if nothing is."""
        if not self.socket or "\0" in self.socket:
            return "the socket's path is empty or holds a NUL"
        if len(self.socket.encode()) > MAX_SOCKET_PATH:
            return f"the socket's path is longer than the {MAX_SOCKET_PATH} bytes that the system allows: {self.socket}"
        if not 0 <= self.socket_mode <= 0o777:
            return f"the socket's mode must be from 0 to {0o777} (octal 777), not {self.socket_mode}"
        if not 1 <= self.workers <= MAX_WORKERS:
            return f"the number of workers must be from 1 to {MAX_WORKERS}, not {self.workers}"
        if self.max_connections < 1:
            return f"the number of connections must be at least 1, not {self.max_connections}"
        if not 0.05 <= self.deadline <= 60:
            return f"the deadline must be from 0.05 to 60 seconds (Kong gives up after 60), not {self.deadline}"
        if not 0.5 <= self.liveness <= 60:
            return f"the liveness time must be from 0.5 to 60 seconds, not {self.liveness}"
        if self.log_level not in LEVELS:
            return f"the log level must be one of {', '.join(LEVELS)}, not {self.log_level}"
        for companion in self.companions:
            if not companion.command:
                return f"the companion {companion.name} has no command"
            if companion.liveness < 0.5:
                return f"the liveness time of the companion {companion.name} must be at least 0.5 seconds"
        return None


MAX_SOCKET_PATH = 107
MAX_WORKERS = 256
