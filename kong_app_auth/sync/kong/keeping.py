"""Puts together what keeps a gateway, by how that gateway is configured."""

from collections.abc import Callable

from kong_app_auth.sync.kong.db_less import DbLessKong
from kong_app_auth.sync.kong.failures import KongFailed
from kong_app_auth.sync.kong.gateway_thread import CHECK_EVERY, Kong
from kong_app_auth.sync.kong.gateways import Gateway
from kong_app_auth.sync.kong.nodes import Nodes
from kong_app_auth.sync.kong.outcome import Pass
from kong_app_auth.sync.kong.traditional import TraditionalKong
from kong_app_auth.sync.kong.wanted import Wanted


class _Fresh:
    """A Kong with a database whose token is read anew for each look at it."""

    def __init__(self, nodes: Nodes, kong: Kong) -> None:
        self._nodes = nodes
        self._kong = kong

    def bring(self, wanted: Wanted, go_on: Callable[[], bool]) -> Pass:
        try:
            self._nodes.current()
        except KongFailed as failed:
            return Pass(failure=failed.failure)
        return self._kong.bring(wanted, go_on)

    def forget(self) -> None:
        self._kong.forget()


def kong_of(
    gateway: Gateway, region: str, nodes: Nodes, check_every: float = CHECK_EVERY
) -> TraditionalKong | DbLessKong:
    """Make what brings a gateway to what is wanted, with the token that `nodes` got last."""
    policy = gateway.policy(region)
    if gateway.declarative_file is None:
        return TraditionalKong(nodes.client(gateway.urls[0]), policy, check_every)
    return DbLessKong(nodes.current, policy, gateway.declarative_file)


def keeping(gateway: Gateway, region: str, nodes: Nodes, check_every: float = CHECK_EVERY) -> Kong:
    """Make what brings a gateway to what is wanted, and asks for its token and its nodes each time."""
    kong = kong_of(gateway, region, nodes, check_every)
    return kong if isinstance(kong, DbLessKong) else _Fresh(nodes, kong)
