"""The limit of the system that a server meets first: a connection is a descriptor, and 1024 are usual."""

import resource

import structlog

_OTHER_DESCRIPTORS = 128

log = structlog.get_logger("plugin_server")


def allow_connections(most: int) -> None:
    """Raise the limit of this process, which its children inherit, so that each may hold `most` connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most + _OTHER_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < wanted:
        log.warning("fewer descriptors than connections may need", allowed=allowed, wanted=wanted)
