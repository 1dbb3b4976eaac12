"""Hears from gateways of tokens with keys that are not known, and has the keys of their issuers fetched anew."""

from typing import Any, Final, cast

from kong_app_auth.registry.connection import Client
from kong_app_auth.registry.keys import Keys
from kong_app_auth.reports.codec import CorruptReport, decode_entry
from kong_app_auth.sync.issuers.keys import IssuerKeys

AT_ONCE: Final = 100


class UnknownKeys:
    """Reads the region's stream of reports from where it stands now; beside those who count what is in it."""

    def __init__(self, region: str, keys: IssuerKeys) -> None:
        self._stream = Keys(region).reports
        self._keys = keys
        self._after: bytes | None = None

    def tick(self, client: Client) -> None:
        """Take in what has come since the last time. May raise CLIENT_ERRORS."""
        if self._after is None:
            last = cast("list[Any]", client.xrevrange(self._stream, count=1))
            self._after = last[0][0] if last else b"0-0"
            return
        found = cast("list[Any]", cast("Any", client).xread({self._stream: self._after}, count=AT_ONCE))
        for _, entries in found:
            for entry_id, fields in entries:
                self._after = entry_id
                try:
                    report = decode_entry(fields)
                except CorruptReport:
                    continue
                for issuer_id in () if report is None else report.unknown_keys:
                    self._keys.refresh(issuer_id)
