"""Who asks, for services that need more than one transaction: nothing is said to another server inside one."""

from contextlib import AbstractContextManager
from typing import Protocol

from kong_app_auth.portal.plane import ControlPlane
from kong_app_auth.portal.transaction import Transaction


class Caller(Protocol):
    """Opens transactions in the name of the one who asks; the API's `Access` is one."""

    @property
    def plane(self) -> ControlPlane:
        """The control plane that is asked."""
        ...

    def read(self) -> AbstractContextManager[Transaction]:
        """Look at things."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Change things, all or nothing."""
        ...
