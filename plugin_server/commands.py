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
from plugin_server.hosted import EVENTS, NO_PHASE, Event, Handler
from plugin_server.instances import BrokenInstance, Instances, Recorded
from plugin_server.metrics import Counter, Key
from plugin_server.pdk.response import exit_call
from plugin_server.plugin import LoadedPlugin
from plugin_server.traceback import where
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.events import parse_call, parse_event
from plugin_server.wire.frames import EMPTY, ProtocolError, frame

_JSON = {"Content-Type": "application/json; charset=utf-8"}
INTERNAL_ERROR = exit_call(500, b'{"message":"An unexpected error occurred"}', _JSON)
OUT_OF_TIME = exit_call(503, b'{"message":"Service temporarily unavailable"}', {**_JSON, "Retry-After": "1"})

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
        self._loaded_at = int(time.time())

    def answer(self, channel: Channel, command: bytes) -> bool:
        """Answer one call, or begin to; False when the connection is over.

        An event for which something is asked ahead then waits for the answers (`channel.waits`), for `go_on`.
        """
        event = parse_event(command)
        if event is not None:
            return self._begin_event(channel, *event)
        call = parse_call(command)
        reply = pb.RpcReturn(sequence=call.sequence)
        kind = call.WhichOneof("call")
        if kind is None:
            raise ProtocolError("a call that this server does not know")
        if kind == "cmd_handle_event":
            event_call = call.cmd_handle_event
            ended = frame(reply.SerializeToString())
            return self._begin_event(channel, event_call.instance_id, event_call.event_name, ended)
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

    def go_on(self, channel: Channel, data: bytes) -> bool:
        """Go on with an event for which something was asked ahead, and `data` read; False: the connection is over."""
        event = channel.event
        if event is None or channel.over:  # its time is up
            self.lost(channel)
            return False
        return self._run(channel, event) if channel.answered(event.calls, data) else True

    def lost(self, channel: Channel) -> None:
        """Count an event that ended before its plugin ran, if there is one."""
        event = channel.event
        if event is not None and channel.waits:
            channel.waits = False
            outcome = "deadline" if channel.timed_out else "lost"
            EVENTS.observe(event.handler.key(outcome), monotonic() - event.began)

    def _begin_event(self, channel: Channel, number: int, phase_name: bytes, ended: bytes) -> bool:
        """Begin a phase. `ended` is the frame of the RpcReturn that ends the event."""
        hosted = self._instances.find(number)
        if hosted is None:
            UNKNOWN_INSTANCES.inc()
            return False
        if isinstance(hosted, BrokenInstance):
            phase = phase_name.decode("latin-1")
            log.error("plugin instance cannot be used", instance=number, error=hosted.error)
            EVENTS.observe(EVENTS.key(phase if phase in self._plugin.phases else NO_PHASE, "error"), 0.0)
            channel.exit(INTERNAL_ERROR)
            return False
        handler = hosted.handler(phase_name)
        habit = handler.fresh if channel.fresh else handler.kept
        channel.event = event = Event(handler, number, ended, habit, habit.calls, monotonic())
        channel.begin(event)
        if event.calls:
            channel.ask_ahead(habit.joined)
            return True
        return self._run(channel, event)

    def _run(self, channel: Channel, event: Event) -> bool:
        """Run a phase; what it is likely to ask is there."""
        handler = event.handler
        if handler.may_block:
            channel.give_way(channel)
        key = handler.finished
        try:
            handler.run(channel.kong)
            channel.finish(EMPTY + event.ended)
            if not channel.over:
                return True
            key = self._ended_early(channel, handler)
            return False
        except EventEndedError:
            key = self._ended_early(channel, handler)
            return False
        except ConnectionLostError:
            key = handler.key("lost")
            raise
        except BaseException as error:  # noqa: BLE001  whatever a plugin raises, sys.exit() too: 500 is the answer
            key = handler.key("error")
            log.error(
                "plugin raised",
                phase=handler.phase,
                instance=event.number,
                error=type(error).__name__,
                where=where(error),
            )
            channel.unsent.clear()
            channel.exit(INTERNAL_ERROR)
            return False
        finally:
            channel.began = 0.0
            seconds = monotonic() - event.began
            EVENTS.observe(key, seconds)
            if tuple(channel.asked) != event.calls:
                event.habit.learn(channel.asked)
            if handler.may_block:
                handler.took(seconds)

    @staticmethod
    def _ended_early(channel: Channel, handler: Handler) -> Key:
        return handler.key("deadline") if channel.timed_out else handler.exit

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
