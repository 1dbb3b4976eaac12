"""A control plane behind a real web server, in a thread of the test's process."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

from kong_app_auth.portal.application import application
from kong_app_auth.portal.plane import ControlPlane
from tests.servers.process import free_port, wait_until


@contextmanager
def served(plane: ControlPlane) -> Generator[str]:
    """Serve `plane` on a free port; gives its URL."""
    port = free_port()
    config = uvicorn.Config(
        application(plane), host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off", ws="none"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="portal")
    thread.start()
    try:
        wait_until(lambda: server.started, "the portal listens")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
