"""The gateway nodes of a region, as operators see them. Beyond Konnect."""

from typing import Literal

from kong_app_auth.portal.contract.common import Moment, Output


class GatewayNodeView(Output):
    """A node, as it said last. `behind`: changes that it lacked; `age`: seconds since its copy was complete."""

    name: str
    state: Literal["in step", "behind", "without a copy", "silent"]
    seq: int | None
    behind: int | None
    age: int
    reported_at: Moment


class GatewayNodesView(Output):
    """All nodes of the region that have spoken within seven days."""

    data: list[GatewayNodeView]
