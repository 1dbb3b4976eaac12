"""What a plugin has asked so far tells what it will ask: its first calls are sent before it runs.

So one thread serves many connections with plain, synchronous plugin code: by the time that the code runs, Kong's
answers are there, and it need not wait for them. A guess that is wrong costs time and nothing else.
"""

FORGET_AFTER = 32
"""Events in a row in which a call was not made, after which it is no longer asked ahead."""
MOST_AHEAD = 4


class Habit:
    """The calls that a phase of a plugin begins with and that may be asked ahead: `calls`, and joined for sending."""

    __slots__ = ("_credit", "calls", "joined")

    def __init__(self) -> None:
        self.calls: tuple[bytes, ...] = ()
        self.joined = b""
        self._credit: dict[bytes, int] = {}

    def learn(self, asked: list[bytes]) -> None:
        """Take in what was asked in an event, before the plugin changed anything."""
        likely = [call for call in dict.fromkeys(asked) if call in self._credit or _only_reads(call)]
        credit = dict.fromkeys(likely[:MOST_AHEAD], FORGET_AFTER)
        for call, left in self._credit.items():
            if left > 1 and call not in credit and len(credit) < MOST_AHEAD:
                credit[call] = left - 1
        self._credit = credit
        self.calls = tuple(credit)
        self.joined = b"".join(credit)


def _only_reads(call: bytes) -> bool:
    """Whether a framed call (its method's name first) has no effect but its answer."""
    name = call[4 : 4 + call[0]]
    return name.rpartition(b".")[2].startswith(b"get")
