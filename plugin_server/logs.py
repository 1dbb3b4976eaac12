"""Logs of the server's processes: one JSON object a line, on standard error."""

import logging
import os
from contextlib import suppress
from typing import Any

import msgspec
import structlog

LEVELS = ("debug", "info", "warning", "error", "critical")


def _render(_: Any, __: str, event: structlog.typing.EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


class _StandardError:
    """Writes lines to standard error, each in one write, so that processes may share the stream.

    A line that cannot be written is lost and nothing else: neither a full disk nor a reader that is gone may reach the
    request path.
    """

    def msg(self, line: bytes) -> None:
        with suppress(OSError):
            os.write(2, line + b"\n")

    debug = info = warning = error = critical = msg


def configure(level: str) -> None:
    """Set logging up for this process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: _StandardError(),
        cache_logger_on_first_use=True,
    )
