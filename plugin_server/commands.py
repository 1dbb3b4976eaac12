"""Answering Kong's calls on one connection.

Every event is answered: what raises gets 500, and only an instance that nobody knows has its connection closed before
any other frame, for then Kong starts the instance anew and tries the event again.
"""

import time
from time import monotonic
from typing import Any

import msgspec
import structlog

from plugin_server.channel import Channel, ConnectionLostError, EventEndedError
from plugin_server.instances import BrokenInstance, Instances, Recorded
from plugin_server.metrics import Counter, Key, Timer
from plugin_server.pdk import Kong
from plugin_server.pdk.response import exit_call
from plugin_server.plugin import LoadedPlugin
from plugin_server.traceback import where
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.events import parse_call, parse_event
from plugin_server.wire.frames import EMPTY, ProtocolError, frame

_NO_PHASE = "other"
_JSON = {"Content-Type": "application/json; charset=utf-8"}
INTERNAL_ERROR = exit_call(500, b'{"message":"An unexpected error occurred"}', _JSON)
OUT_OF_TIME = exit_call(503, b'{"message":"Service temporarily unavailable"}', {**_JSON, "Retry-After": "1"})

EVENTS = Timer("plugin_server_events", "Events answered, by phase and by how they ended.", ("phase", "outcome"))
COMMANDS = Counter("plugin_server_commands_total", "Calls of Kong other than events.", ("command",))
UNKNOWN_INSTANCES = Counter(
    "plugin_server_unknown_instances_total", "Connections closed for an instance that nobody knows."
)
BAD_CONNECTIONS = Counter("plugin_server_bad_connections_total", "Connections ended for what was sent on them.")

log = structlog.get_logger("plugin_server")


class Commands:
    """What a worker answers, for any of its connections."""

    def __init__(self, plugin: LoadedPlugin, instances: Instances) -> None:
        self._plugin = plugin
        self._instances = instances
        self._phases = {phase.encode(): phase for phase in plugin.phases}
        self._finished = {phase: EVENTS.key(phase, "finished") for phase in (*plugin.phases, _NO_PHASE)}
        self._exit = {phase: EVENTS.key(phase, "exit") for phase in (*plugin.phases, _NO_PHASE)}
        self._loaded_at = int(time.time())

    def answer(self, channel: Channel, kong: Kong, command: bytes) -> bool:
        """Answer one call; False when the connection is over."""
        event = parse_event(command)
        if event is not None:
            return self._handle_event(channel, kong, *event)
        call = parse_call(command)
        reply = pb.RpcReturn(sequence=call.sequence)
        kind = call.WhichOneof("call")
        if kind is None:
            raise ProtocolError("a call that this server does not know")
        if kind == "cmd_handle_event":
            event_call = call.cmd_handle_event
            ended = frame(reply.SerializeToString())
            return self._handle_event(channel, kong, event_call.instance_id, event_call.event_name, ended)
        COMMANDS.inc(kind)
        if kind == "cmd_start_instance":
            self._start_instance(call.cmd_start_instance, reply)
        elif kind == "cmd_close_instance":
            number = call.cmd_close_instance.instance_id
            self._describe(reply, number, self._instances.close(number))
        elif kind == "cmd_get_instance_status":
            number = call.cmd_get_instance_status.instance_id
            self._describe(reply, number, self._instances.status(number))
        elif kind == "cmd_get_plugin_names":
            reply.plugin_names.names.append(self._plugin.name)
        else:
            self._describe_plugin(reply)
        channel.finish(frame(reply.SerializeToString()))
        return True

    def _handle_event(self, channel: Channel, kong: Kong, number: int, phase_name: bytes, ended: bytes) -> bool:
        """Run a phase. `ended` is the frame of the RpcReturn that ends the event."""
        plugin = self._instances.find(number)
        if plugin is None:
            UNKNOWN_INSTANCES.inc()
            return False
        phase = self._phases.get(phase_name, _NO_PHASE)
        began = channel.began = monotonic()
        key = self._finished[phase]
        try:
            if isinstance(plugin, BrokenInstance):
                log.error("plugin instance cannot be used", instance=number, error=plugin.error)
                key = EVENTS.key(phase, "error")
                channel.exit(INTERNAL_ERROR)
                return False
            if phase is not _NO_PHASE:
                getattr(plugin, phase)(kong)
            channel.finish(EMPTY + ended)
            if not channel.over:
                return True
            key = self._ended_early(channel, phase)
            return False
        except EventEndedError:
            key = self._ended_early(channel, phase)
            return False
        except ConnectionLostError:
            key = EVENTS.key(phase, "lost")
            raise
        except BaseException as error:  # noqa: BLE001  whatever a plugin raises, sys.exit() too: 500 is the answer
            key = EVENTS.key(phase, "error")
            log.error("plugin raised", phase=phase, instance=number, error=type(error).__name__, where=where(error))
            channel.unsent.clear()
            channel.exit(INTERNAL_ERROR)
            return False
        finally:
            channel.began = 0.0
            EVENTS.observe(key, monotonic() - began)

    def _ended_early(self, channel: Channel, phase: str) -> Key:
        return EVENTS.key(phase, "deadline") if channel.timed_out else self._exit[phase]

    def _start_instance(self, start: pb.CmdStartInstance, reply: pb.RpcReturn) -> None:
        now = int(time.time())
        name = start.name.decode("latin-1")
        number = self._instances.start(name, start.config, now)
        made: Any = self._instances.find(number)
        if name != self._plugin.name:
            log.error("kong started a plugin that is not here", asked=name, here=self._plugin.name)
        elif isinstance(made, BrokenInstance):
            log.error("plugin instance cannot be used", instance=number, error=made.error)
        else:
            log.info("plugin instance started", instance=number, config_bytes=len(start.config))
        reply.instance_status.name = start.name
        reply.instance_status.instance_id = number

    def _describe(self, reply: pb.RpcReturn, number: int, recorded: Recorded | None) -> None:
        reply.instance_status.instance_id = number
        reply.instance_status.name = (recorded.plugin if recorded else self._plugin.name).encode("latin-1")

    def _describe_plugin(self, reply: pb.RpcReturn) -> None:
        reply.plugin_info.CopyFrom(
            pb.PluginInfo(
                name=self._plugin.name,
                updated_at=self._loaded_at,
                loaded_at=self._loaded_at,
                phases=self._plugin.phases,
                version=self._plugin.version,
                priority=self._plugin.priority,
                schema=msgspec.json.encode(self._plugin.schema()).decode(),
            )
        )
