"""A plugin object as a worker keeps it: its phases by the name that Kong calls them."""

from collections.abc import Callable
from typing import Any

import msgspec

from plugin_server.habits import Habit
from plugin_server.metrics import Key, Timer

EVENTS = Timer("plugin_server_events", "Events answered, by phase and by how they ended.", ("phase", "outcome"))

NO_PHASE = "other"
BLOCKED_FOR = 64
_QUICK = 0.005


class Handler:
    """One phase of one plugin object, with its habits.

    A connection that is new behaves otherwise than one that is kept, for Kong opens one after each refusal: `fresh` and
    `kept` are learned apart. `may_block` counts the events for which it is still taken for one that blocks.
    """

    __slots__ = ("exit", "finished", "fresh", "kept", "may_block", "phase", "run")

    def __init__(self, phase: str, run: Callable[[Any], object]) -> None:
        self.phase = phase
        self.run = run
        self.fresh = Habit()
        self.kept = Habit()
        self.may_block = 0
        self.finished = self.key("finished")
        self.exit = self.key("exit")

    def blocked(self) -> None:
        """Take note that it kept a thread that others needed; its next events run beside the loop."""
        self.may_block = BLOCKED_FOR

    def took(self, seconds: float) -> None:
        """Take note of how long an event took beside the loop."""
        self.may_block = self.may_block - 1 if seconds < _QUICK else BLOCKED_FOR

    def key(self, outcome: str) -> Key:
        """What to count an event under."""
        return EVENTS.key(self.phase, outcome)


class Event(msgspec.Struct, frozen=True):
    """An event: the number of its instance, the frame that ends it, the calls asked ahead, and when it began."""

    handler: Handler
    number: int
    ended: bytes
    habit: Habit
    calls: tuple[bytes, ...]
    began: float


class Hosted:
    """A plugin object and its handlers, by phase."""

    __slots__ = ("_handlers", "_other")

    def __init__(self, plugin: Any, phases: tuple[str, ...]) -> None:
        self._handlers = {phase.encode(): Handler(phase, getattr(plugin, phase)) for phase in phases}
        self._other = Handler(NO_PHASE, _pass)

    def handler(self, phase: bytes) -> Handler:
        """Give what handles a phase: nothing, and the request passes, where the plugin does not have it."""
        return self._handlers.get(phase, self._other)


def _pass(_kong: Any) -> None:
    return None
