"""Adding up reports within bounds: what is beyond them is lost, and counted."""

from collections.abc import Iterator
from typing import Final

from kong_app_auth.reports.records import Refusal, Report, Usage

MOST_BYTES: Final = 24 * 1024
"""What a report is about to weigh at most, encoded: it shall go into one datagram, and into one entry of a stream."""
_USAGE_BYTES: Final = 128
_USE_BYTES: Final = 48
_REFUSAL_BYTES: Final = 288
_MINUTE: Final = 60


class Tally:
    """What waits to be passed on. Not for two threads at a time."""

    def __init__(self, *, usages: int = 10_000, uses: int = 10_000, refusals: int = 2_000) -> None:
        self._most_usages = usages
        self._most_uses = uses
        self._most_refusals = refusals
        self._usage: dict[tuple[int, str | None, str | None, str], int] = {}
        self._uses: dict[str, int] = {}
        self._refusals: list[Refusal] = []
        self.lost = 0

    def __bool__(self) -> bool:
        """Say whether there is anything to pass on."""
        return bool(self._usage or self._uses or self._refusals or self.lost)

    def count(self, at: int, application_id: str | None, api_id: str | None, outcome: str, requests: int = 1) -> None:
        """Count requests in the minute of `at` (Unix time)."""
        key = (at - at % _MINUTE, application_id, api_id, outcome)
        known = self._usage.get(key, 0)
        if known or len(self._usage) < self._most_usages:
            self._usage[key] = known + requests
        else:
            self.lost += requests

    def use(self, credential_id: str, at: int) -> None:
        """Note that a credential was let in at `at` (Unix time)."""
        known = self._uses.get(credential_id)
        if known is not None:
            self._uses[credential_id] = max(known, at)
        elif len(self._uses) < self._most_uses:
            self._uses[credential_id] = at
        else:
            self.lost += 1

    def refuse(self, refusal: Refusal) -> None:
        """Keep a refusal, to be found by its request id. It is not counted as usage by this."""
        if len(self._refusals) < self._most_refusals:
            self._refusals.append(refusal)
        else:
            self.lost += 1

    def add(self, report: Report) -> None:
        """Add all of a report."""
        for usage in report.usage:
            self.count(usage.minute, usage.application_id, usage.api_id, usage.outcome, usage.requests)
        for credential_id, at in report.uses.items():
            self.use(credential_id, at)
        for refusal in report.refusals:
            self.refuse(refusal)
        self.lost += report.lost

    def take(self, most_bytes: int = MOST_BYTES) -> Iterator[Report]:
        """Give all there is, in reports of about `most_bytes` at most. What is given is no longer here."""
        usage, self._usage = self._usage, {}
        uses, self._uses = self._uses, {}
        refusals, self._refusals = self._refusals, []
        lost, self.lost = self.lost, 0
        pieces = _Pieces(most_bytes, lost)
        for key, requests in usage.items():
            yield from pieces.room(_USAGE_BYTES)
            pieces.usage.append(Usage(*key, requests))
        for credential_id, at in uses.items():
            yield from pieces.room(_USE_BYTES)
            pieces.uses[credential_id] = at
        for refusal in refusals:
            yield from pieces.room(_REFUSAL_BYTES)
            pieces.refusals.append(refusal)
        yield from pieces.room(most_bytes + 1)


class _Pieces:
    """The report under construction."""

    def __init__(self, most_bytes: int, lost: int) -> None:
        self._most_bytes = most_bytes
        self._begin(lost)

    def _begin(self, lost: int) -> None:
        self._bytes = 0
        self.usage: list[Usage] = []
        self.uses: dict[str, int] = {}
        self.refusals: list[Refusal] = []
        self._lost = lost

    def room(self, size: int) -> Iterator[Report]:
        """Make room for a piece: where there is none, give what there is and begin anew."""
        if self._bytes + size > self._most_bytes and (self._bytes or self._lost):
            yield Report(self.usage, self.uses, self.refusals, self._lost)
            self._begin(0)
        self._bytes += size


def weight(report: Report) -> int:
    """About how many bytes a report has, encoded."""
    return len(report.usage) * _USAGE_BYTES + len(report.uses) * _USE_BYTES + len(report.refusals) * _REFUSAL_BYTES + 64
