"""Answering Kong's calls on one connection.

Every event is answered: what raises gets 500, and only an instance that nobody knows has its connection closed before
any other frame, for then Kong starts the instance anew and tries the event again.
"""

import time
from typing import Any

import msgspec
import structlog

from plugin_server.channel import Channel, ConnectionLostError, EventEndedError
from plugin_server.instances import BrokenInstance, Instances, Recorded
from plugin_server.metrics import Counter
from plugin_server.pdk import Kong
from plugin_server.pdk.response import exit_call
from plugin_server.plugin import LoadedPlugin
from plugin_server.traceback import where
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import EMPTY, ProtocolError, frame

_JSON = {"Content-Type": "application/json; charset=utf-8"}
INTERNAL_ERROR = exit_call(500, b'{"message":"An unexpected error occurred"}', _JSON)
OUT_OF_TIME = exit_call(503, b'{"message":"Service temporarily unavailable"}', {**_JSON, "Retry-After": "1"})

EVENTS = Counter("plugin_server_events_total", "Events answered, by phase and by how they ended.", ("phase", "outcome"))
EVENT_SECONDS = Counter("plugin_server_event_seconds_total", "Time from an event to its answer, added up.", ("phase",))
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
        self._phases = frozenset(plugin.phases)
        self._loaded_at = int(time.time())

    def answer(self, channel: Channel, kong: Kong, command: bytes) -> bool:
        """Answer one call; False when the connection is over."""
        try:
            call = pb.RpcCall.FromString(command)
        except Exception as error:  # protobuf's DecodeError has no common base that its stubs know
            raise ProtocolError("not a call of Kong's") from error
        if call.HasField("cmd_handle_event"):
            event = call.cmd_handle_event
            return self._handle_event(
                channel, kong, event.instance_id, event.event_name.decode("latin-1"), call.sequence
            )
        reply = pb.RpcReturn(sequence=call.sequence)
        kind = call.WhichOneof("call")
        if kind is None:
            raise ProtocolError("a call that this server does not know")
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

    def _handle_event(self, channel: Channel, kong: Kong, number: int, phase: str, sequence: int) -> bool:
        plugin = self._instances.find(number)
        if plugin is None:
            UNKNOWN_INSTANCES.inc()
            return False
        began = channel.began = time.monotonic()
        outcome = "finished"
        try:
            if isinstance(plugin, BrokenInstance):
                log.error("plugin instance cannot be used", instance=number, error=plugin.error)
                outcome = "error"
                channel.exit(INTERNAL_ERROR)
                return False
            if phase in self._phases:
                getattr(plugin, phase)(kong)
            channel.finish(EMPTY + frame(pb.RpcReturn(sequence=sequence).SerializeToString()))
            return not channel.over
        except EventEndedError:
            outcome = "deadline" if channel.timed_out else "exit"
            return False
        except (OSError, ConnectionLostError, ProtocolError):
            outcome = "lost"
            raise
        except Exception as error:  # noqa: BLE001  whatever a plugin raises, the client gets an answer
            outcome = "error"
            log.error("plugin raised", phase=phase, instance=number, error=type(error).__name__, where=where(error))
            channel.unsent.clear()
            channel.exit(INTERNAL_ERROR)
            return False
        finally:
            channel.began = 0.0
            EVENTS.inc(phase if phase in self._phases else "other", outcome)
            EVENT_SECONDS.inc(phase if phase in self._phases else "other", by=time.monotonic() - began)

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
