"""A sync daemon as a process of its own: URL, region, file, and `host:port` for metrics or nothing; logs JSON lines."""

import sys
from pathlib import Path

import structlog

from kong_app_auth.sync.process import run_sync

if __name__ == "__main__":
    structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()])
    url, region, file, *metrics = sys.argv[1:]
    sys.exit(
        run_sync(redis_url=url, region=region, apps_file=Path(file), metrics_address=metrics[0] if metrics else None)
    )
