"""The process of a sync daemon: settings checked, signals obeyed, an exit code at the end."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from pathlib import Path

import structlog

from kong_app_auth.domain.api_key import valid_region
from kong_app_auth.oidc.outgoing import Outgoing
from kong_app_auth.registry.connection import Client, connect
from kong_app_auth.registry.url import parse, redact
from kong_app_auth.signals import noted_signals
from kong_app_auth.sync.daemon import Companion, Daemon, Ending, Learner, Source
from kong_app_auth.sync.issuers.keys import IssuerKeys
from kong_app_auth.sync.issuers.source import WithIssuers
from kong_app_auth.sync.issuers.unknown_keys import UnknownKeys
from kong_app_auth.sync.kong.gateways import BadGateways, read_gateways
from kong_app_auth.sync.kong.managed import ManagedGateways
from kong_app_auth.sync.kong.metrics import KongMetrics
from kong_app_auth.sync.kong.portal import StatesPortal
from kong_app_auth.sync.metrics import SyncMetrics, exposed
from kong_app_auth.sync.portal_feed.address import PortalAddress
from kong_app_auth.sync.portal_feed.client import FeedClient
from kong_app_auth.sync.portal_feed.follower import PortalFeed
from kong_app_auth.sync.portal_feed.metrics import PortalMetrics
from kong_app_auth.sync.reports.forwarding import ReportForwarder
from kong_app_auth.sync.reports.portal import ReportsPortal
from kong_app_auth.sync.watch import WatchedFile

EXIT_STOPPED = 0
EXIT_NEWER = 1
EXIT_WRONG_SETTING = 2

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+):(?P<port>[0-9]{1,5})", re.ASCII)

_log = structlog.get_logger()


def run_sync(
    *,
    redis_url: str,
    region: str,
    apps_file: Path | None = None,
    portal_url: str | None = None,
    portal_token: str | None = None,
    portal_ca_file: Path | None = None,
    username: str | None = None,
    password: str | None = None,
    ca_file: Path | None = None,
    cert_file: Path | None = None,
    key_file: Path | None = None,
    metrics_address: str | None = None,
    idp_allow_private: bool = False,
    idp_allow_http_loopback: bool = False,
    idp_ca_file: Path | None = None,
    kong_file: Path | None = None,
) -> int:
    """Run a daemon until SIGTERM or SIGINT, and give the process's exit code.

    The source is either `apps_file` or the portal at `portal_url`, whose feed of the region asks for `portal_token`.
    The lease is released at the end, so that a standby takes over at once. `metrics_address` is `host:port`, None for
    no metrics. `idp_…`: where identity providers may be, see `Outgoing`. `kong_file`: the Kongs whose plugins are kept,
    see `sync.kong.gateways`. Exit codes: 0 stopped, 1 registry or portal
    are of a newer version, 2 a setting is wrong. To be called from the main thread.
    """

    def client() -> Client:
        return connect(
            redis_url, username=username, password=password, ca_file=ca_file, cert_file=cert_file, key_file=key_file
        )

    try:
        outgoing = Outgoing(idp_allow_private, idp_allow_http_loopback, idp_ca_file)
        if not valid_region(region):
            raise ValueError("a region is named by lower-case letters, digits and inner hyphens")  # noqa: TRY301
        parse(redis_url)
        address = None if metrics_address is None else _address(metrics_address)
        gateways = () if kong_file is None else read_gateways(kong_file)
        for file in (ca_file, cert_file, key_file, idp_ca_file):
            if file is not None and not file.is_file():
                raise ValueError(f"there is no file {file}")  # noqa: TRY301
        if (apps_file is None) == (portal_url is None):
            raise ValueError("the source is either a file or a portal")  # noqa: TRY301
        portal = (
            None
            if portal_url is None
            else PortalAddress(url=portal_url, token=portal_token or "", ca_file=portal_ca_file)
        )
    except (ValueError, OSError, BadGateways) as wrong:
        _log.error("wrong setting", problem=str(wrong))
        return EXIT_WRONG_SETTING

    metrics = SyncMetrics()
    wake = threading.Event()
    source: Source
    companions: list[Companion] = []
    with ExitStack() as serving:
        try:
            serving.enter_context(exposed(metrics, address))
        except OSError as error:
            _log.error("metrics cannot be served", address=metrics_address, problem=error.strerror)
            return EXIT_WRONG_SETTING
        if apps_file is not None:
            source = WatchedFile(apps_file, region)
        else:
            assert portal is not None  # noqa: S101  for the type checkers: it is one or the other
            if portal.in_clear:
                _log.warning("the token of the feed crosses the network unencrypted, use https", portal=portal_url)
            source = PortalFeed(FeedClient(portal, region), PortalMetrics(metrics.registry), wake)
            serving.enter_context(source.running())
            companions.append(ReportForwarder(ReportsPortal(portal, region), region, metrics.registry))
        keys = IssuerKeys(outgoing, metrics.registry, wake)
        serving.enter_context(keys.running())
        source = WithIssuers(source, keys)
        companions.append(UnknownKeys(region, keys))
        learners: list[Learner] = []
        if gateways:
            told = None if portal is None else StatesPortal(portal, region)
            managed = ManagedGateways(gateways, region, metrics.registry, told)
            serving.enter_context(managed.running())
            companions.append(managed)
            learners.append(managed)
        else:
            KongMetrics(metrics.registry)  # every daemon shows the same families of metrics
        daemon = Daemon(client, source, region, metrics, companions=companions, learners=learners, wake=wake)
        _log.info("sync daemon starts", region=region, source=str(apps_file or portal_url), redis=redact(redis_url))
        ending = _until_signalled(daemon)
    _log.info("sync daemon ends", region=region, because=ending.value)
    return EXIT_STOPPED if ending is Ending.STOPPED else EXIT_NEWER


def _until_signalled(daemon: Daemon) -> Ending:
    """Run the daemon in a thread of its own, and tell it to stop after a signal."""
    stop = threading.Event()
    with noted_signals() as signalled, ThreadPoolExecutor(1, thread_name_prefix="sync") as pool:
        running = pool.submit(daemon.run, stop)
        while not signalled and not wait([running], 0.1).done:
            pass
        stop.set()
        return running.result()


def _address(text: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(text)
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 65536:
        raise ValueError("the address of the metrics is written host:port")
    return found["host"].strip("[]"), port
