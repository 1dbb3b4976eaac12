"""The development gateway as a process."""

import asyncio
import signal
from pathlib import Path

import msgspec
import structlog

from kong_app_auth.devgateway.gateway import DevGateway
from kong_app_auth.devgateway.settings import GatewaySettings, PluginServerSettings

_log = structlog.get_logger()


def run_gateway(
    *,
    proxy_host: str = "127.0.0.1",
    proxy_port: int = 8000,
    admin_host: str = "127.0.0.1",
    admin_port: int = 8001,
    plugin_servers: tuple[PluginServerSettings, ...] = (),
    declarative_config: str | None = None,
    database: str = "off",
    node_id: str | None = None,
    socket_timeout: float = 60.0,
) -> None:
    """Run a gateway until SIGTERM or SIGINT. Raise what entering `DevGateway` raises, ValueError for bad settings."""
    if database not in {"off", "memory"}:
        raise ValueError(f"database must be off or memory, not {database!r}")
    asyncio.run(
        _run(
            GatewaySettings(
                proxy_host=proxy_host,
                proxy_port=proxy_port,
                admin_host=admin_host,
                admin_port=admin_port,
                plugin_servers=plugin_servers,
                declarative_config=declarative_config,
                database="off" if database == "off" else "memory",
                node_id=node_id,
                socket_timeout=socket_timeout,
            )
        )
    )


def serve(settings_file: str) -> None:
    """Run a gateway with the `GatewaySettings` of a JSON file until SIGTERM or SIGINT."""
    asyncio.run(_run(msgspec.json.decode(Path(settings_file).read_bytes(), type=GatewaySettings)))


async def _run(settings: GatewaySettings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    async with DevGateway(settings):
        await stop.wait()
        _log.info("development gateway stops")
