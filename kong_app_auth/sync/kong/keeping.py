"""Puts together what keeps a gateway, by how that gateway is configured."""

from collections.abc import Callable

from kong_app_auth.sync.kong.admin_api import Access, AdminApi
from kong_app_auth.sync.kong.db_less import DbLessKong
from kong_app_auth.sync.kong.failures import Code, Failure
from kong_app_auth.sync.kong.gateway_thread import CHECK_EVERY, Kong
from kong_app_auth.sync.kong.gateways import BadGateways, Gateway
from kong_app_auth.sync.kong.outcome import Pass
from kong_app_auth.sync.kong.traditional import TraditionalKong
from kong_app_auth.sync.kong.wanted import Wanted


class _WithToken:
    """A Kong whose token is read anew for each look at it: it may be changed."""

    def __init__(self, gateway: Gateway, apis: list[AdminApi], kong: Kong) -> None:
        self._gateway = gateway
        self._apis = apis
        self._kong = kong

    def bring(self, wanted: Wanted, go_on: Callable[[], bool]) -> Pass:
        try:
            token = self._gateway.read_token()
        except BadGateways as bad:
            return Pass(failure=Failure(Code.BAD_REQUEST, str(bad)))
        for api in self._apis:
            api.use_token(token)
        return self._kong.bring(wanted, go_on)

    def forget(self) -> None:
        self._kong.forget()


def admin_apis(gateway: Gateway) -> list[AdminApi]:
    """Make a client for each Admin API of a gateway. Raises BadGateways."""
    token = gateway.read_token()
    return [
        AdminApi(
            Access(
                url=url,
                token=token,
                ca_file=gateway.ca_file,
                client_cert=gateway.client_cert,
                client_key=gateway.client_key,
            )
        )
        for url in gateway.urls
    ]


def kong_of(
    gateway: Gateway, region: str, apis: list[AdminApi], check_every: float = CHECK_EVERY
) -> TraditionalKong | DbLessKong:
    """Make what brings a gateway to what is wanted, by its Admin APIs."""
    policy = gateway.policy(region)
    if gateway.declarative_file is None:
        return TraditionalKong(apis[0], policy, check_every)
    return DbLessKong(apis, policy, gateway.declarative_file)


def keeping(gateway: Gateway, region: str, check_every: float = CHECK_EVERY) -> Kong:
    """Make what keeps a gateway for long. Raises BadGateways."""
    apis = admin_apis(gateway)
    return _WithToken(gateway, apis, kong_of(gateway, region, apis, check_every))
