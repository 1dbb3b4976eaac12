"""The consumers of Kong that registrations are mapped to, so that plugins which go by consumer work."""

from threading import Lock
from time import monotonic
from typing import Any, Final, TypeAlias, cast

Consumer: TypeAlias = dict[str, Any]
"""A consumer as `kong.client.load_consumer` gives it: `id`, `username`, `custom_id` and more."""

KNOWN_FOR: Final = 10.0
"""Seconds. Kong tells nobody that a consumer has changed."""
MOST: Final = 4096


class Consumers:
    """Looks consumers up in Kong, and remembers those that there are for a moment."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, Consumer]] = {}
        self._lock = Lock()

    def find(self, kong: Any, consumer_id: str) -> Consumer | None:
        """Give a consumer; None where Kong has none. (For an id that is no UUID Kong ends the request with 500.)"""
        now = monotonic()
        known = self._known.get(consumer_id)
        if known is not None and now - known[0] < KNOWN_FOR:
            return known[1]
        found = _value(kong.client.load_consumer(consumer_id))
        with self._lock:
            if not found:
                self._known.pop(consumer_id, None)
                return None
            if len(self._known) >= MOST:
                self._known.clear()
            self._known[consumer_id] = (now, found)
        return found


def consumer_headers(consumer: Consumer) -> dict[str, str]:
    """Name the consumer to the upstream, as Kong's own authentication plugins do."""
    told = {"X-Consumer-ID": "id", "X-Consumer-Custom-ID": "custom_id", "X-Consumer-Username": "username"}
    return {header: str(consumer[field]) for header, field in told.items() if consumer.get(field)}


def _value(result: Any) -> Consumer | None:
    """What was found. The stock server's Lua style gives a pair of value and error."""
    found: Any = cast("tuple[Any, object]", result)[0] if isinstance(result, tuple) else result
    return cast("Consumer", found) if found else None
