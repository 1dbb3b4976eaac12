"""The zygote: loads the plugin once, then forks workers from itself, so that a lost worker is back in milliseconds.

It is started as a process of its own, `python -m plugin_server.zygote <fd>`, and does so again for every reload: new
code is what the new process imports.
"""

import gc
import os
import select
import signal
import socket
import sys
from pathlib import Path

from plugin_server import logs, worker
from plugin_server.control import Failed, Fork, Forked, Link, Load, Loaded
from plugin_server.instances import InstanceStore, store_path
from plugin_server.plugin import PluginError, load

_REAP_EVERY_MS = 200


def main(link_fd: int) -> int:
    """Serve the supervisor at the other end of `link_fd` until it is gone."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    link = Link(socket.socket(fileno=link_fd))
    received = link.receive()
    if received is None or not isinstance(received[0], Load):
        return 1
    settings = received[0].settings
    listener = socket.socket(fileno=received[1][0])
    logs.configure(settings.log_level)
    os.environ.update(settings.environment)
    try:
        plugin = load(settings.plugin)
    except PluginError as error:
        link.send(Failed(str(error)))
        return 1
    store = InstanceStore(store_path(Path(settings.socket)))
    link.send(Loaded(plugin.name, plugin.version))
    gc.collect()
    gc.freeze()  # keeps the pages that the workers share from being written to
    orders = select.poll()
    orders.register(link.fileno(), select.POLLIN)
    while True:
        if orders.poll(_REAP_EVERY_MS):
            received = link.receive()
            if received is None:
                return 0
            order, fds = received
            if isinstance(order, Fork):
                pid = os.fork()
                if pid == 0:
                    link.close()
                    own = Link(socket.socket(fileno=fds[0]))
                    worker.main(worker.Worker(settings, plugin, store, listener, own))
                os.close(fds[0])
                link.send(Forked(order.worker, pid))
        _reap()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
