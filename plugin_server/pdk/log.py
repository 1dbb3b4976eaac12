"""`kong.log`: lines in Kong's own error log."""

from plugin_server.pdk.namespace import Namespace
from plugin_server.wire.frames import frame, method
from plugin_server.wire.values import Json, to_list


class Log(Namespace):
    """`kong.log`, a method a level."""

    __slots__ = ()

    def _write(self, level: str, parts: tuple[Json, ...]) -> None:
        self._channel.cast(method(f"kong.log.{level}") + frame(to_list(parts).SerializeToString()))

    def alert(self, *args: Json) -> None:
        """Log at level alert."""
        self._write("alert", args)

    def crit(self, *args: Json) -> None:
        """Log at level crit."""
        self._write("crit", args)

    def err(self, *args: Json) -> None:
        """Log at level error."""
        self._write("err", args)

    def warn(self, *args: Json) -> None:
        """Log at level warn."""
        self._write("warn", args)

    def notice(self, *args: Json) -> None:
        """Log at level notice."""
        self._write("notice", args)

    def info(self, *args: Json) -> None:
        """Log at level info."""
        self._write("info", args)

    def debug(self, *args: Json) -> None:
        """Log at level debug."""
        self._write("debug", args)
