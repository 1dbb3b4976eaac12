"""Logs of the server's processes: one JSON object a line, on standard error."""

import logging
import sys
from typing import Any

import msgspec
import structlog

LEVELS = ("debug", "info", "warning", "error", "critical")


def _render(_: Any, __: str, event: structlog.typing.EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def configure(level: str) -> None:
    """Set logging up for this process; a line goes out in one write, so that processes may share the stream."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
