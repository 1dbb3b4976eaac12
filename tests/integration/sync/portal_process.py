"""A sync daemon of a portal as a process of its own; logs JSON lines.

Arguments: URL of Redis, region, URL of the portal, token, `host:port` for metrics.
"""

import sys

import structlog

from kong_app_auth.sync.process import run_sync

if __name__ == "__main__":
    structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()])
    redis_url, region, portal_url, token, metrics = sys.argv[1:]
    sys.exit(
        run_sync(
            redis_url=redis_url,
            region=region,
            portal_url=portal_url,
            portal_token=token,
            metrics_address=metrics,
        )
    )
