"""Instance ids of plugin configurations in one worker, kept as Kong keeps them, with its weak spots.

Ids are started lazily, on the first event of a configuration. When a configuration has changed, the new instance is
started first and the old id is closed afterwards (surprise 8). A start that raises leaves its claim behind, and the
next request waits for it (surprise 14).
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from kong_app_auth.devgateway.outcomes import CallFailed, LuaError

_log = structlog.get_logger()
_STEP = 0.1


class PluginConfig(msgspec.Struct, frozen=True):
    """The configuration of one plugin entity, as an instance is started with it."""

    plugin_id: str
    name: str
    seq: int
    json: bytes


class _Instance(msgspec.Struct):
    seq: int
    id: int | None = None


Start = Callable[[PluginConfig], Awaitable[int]]
Close = Callable[[int], Awaitable[None]]


class Instances:
    """The instances of one plugin server. `start` raises CallFailed where Kong gets an error, LuaError where it raises.

    Only the first kind takes the claim back.
    """

    def __init__(self, start: Start, close: Close, claim_timeout: float) -> None:
        self._start = start
        self._close = close
        self._claim_timeout = claim_timeout
        self._running: dict[str, _Instance] = {}

    async def get(self, config: PluginConfig) -> int:
        """Give the id of the instance of `config`, started if need be.

        Raise CallFailed where another request's start did not end in time, and LuaError where a start failed.
        """
        key = config.plugin_id
        instance = self._running.get(key)
        waited = 0.0
        while instance is not None and instance.id is None:
            await asyncio.sleep(_STEP)
            waited += _STEP
            if waited > self._claim_timeout:
                self._running.pop(key, None)
                raise CallFailed(f"could not claim instance_id for {config.name} (key: {key})")
            instance = self._running.get(key)
        if instance is not None and instance.id is not None and instance.seq == config.seq:
            return instance.id
        old = None if instance is None else instance.id
        if instance is None:
            instance = self._running[key] = _Instance(config.seq)
        else:
            instance.id = None
        try:
            started = await self._start(config)
        except CallFailed as error:
            self._running.pop(key, None)
            raise LuaError(f"starting instance: {error}") from error
        except asyncio.CancelledError:
            self._running.pop(key, None)
            raise
        instance.id = started
        instance.seq = config.seq
        if old is not None:
            try:
                await self._close(old)
            except CallFailed as error:
                _log.debug("closing an instance failed", plugin=config.name, instance=old, error=str(error))
        return started

    def reset(self) -> None:
        """Forget all ids: the server has died or does not know one of them."""
        self._running.clear()
