"""`python -m bench.token_requests [--quick]`: what a request with a bearer JWT costs, and how soon a new key is known.

Hit: the token's signature was found good before. Miss: it is checked; more tokens go round than a worker remembers.
Keys are measured in the same run, on a service that takes keys alone and on one that takes tokens too.
Rotation: from the moment that a provider signs with a new key until the first request with it is let in, with a real
provider, daemon, Valkey, follower, worker and gateway.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markdown import Markdown

from bench import machine
from bench.driver import Driver, Target, make_driver
from bench.kong import Connection, Headers, Protocol, headers
from bench.processes import Cpu, cpu
from bench.region import KEY_LENGTH, REGION
from bench.servers import Server, gateway_node, replica_directory, wait_for_copy
from bench.token_report import Cost, Results, keep, markdown
from kong_app_auth.demo.identity_provider import installation
from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Client,
    Credential,
    OpenIdConnect,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
    client_key,
)
from kong_app_auth.registry.changes import in_batches
from kong_app_auth.registry.connection import connect
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.registry.position import Position
from kong_app_auth.registry.writer import Writer
from kong_app_auth.replica.reader import Replica
from kong_app_auth.sync.issuers.keys import REFRESH_EVERY
from plugin_server.wire.values import write_headers
from tests.integration.plugin.token_path import token_path
from tests.servers.identity_provider import WEATHER
from tests.servers.redis import RedisServer, redis_server
from tests.servers.samples import PORTAL, uid
from tests.unit.plugin.provider import Provider

CONNECTIONS = 16
WORKER_BARS = {"hit": 50.0, "RS256 miss": 150.0}
"""Microseconds of CPU in a worker. A miss of ES256 has no bar of its own."""
KEYS, TOKENS, BOTH = "keys", "tokens", "both"
CLIENTS = 100
_PATIENCE = 60.0
_AUDIENCE = "https://weather.example.com"


ROTATION_BAR_MS = 1000.0
_RESULTS = Path(__file__).with_name("results")


class Plan(msgspec.Struct, frozen=True):
    """`misses`: tokens that go round so that none is remembered when it comes again; `seconds` of each round."""

    misses: int
    rotations: int
    rounds: int
    seconds: float
    warm_up: float


FULL, QUICK = Plan(16_000, 3, 3, 2.0, 0.5), Plan(12_000, 1, 1, 0.5, 0.2)


class Work(msgspec.Struct, frozen=True):
    """A kind of request: its credentials in a file, one after another, and the service that it goes to."""

    name: str
    service: str
    credentials: Path
    length: int
    is_token: bool


def contents(providers: Sequence[Provider], keys: Sequence[str]) -> Contents:
    """A region with three services, a strategy for keys, one for each provider, and a hundred clients of each."""
    made = Contents()
    key_strategy = uid("keys")
    strategies = {provider.issuer: uid(provider.issuer) for provider in providers}
    accepts = {
        KEYS: [key_strategy],
        TOKENS: list(strategies.values())[:1],
        BOTH: [key_strategy, *list(strategies.values())[:1]],
        **{provider.issuer: [strategies[provider.issuer]] for provider in providers},
    }
    made.strategies[key_strategy] = Strategy(key_strategy, "keys", StrategyType.KEY_AUTH, ("apikey",))
    for name, accepted in accepts.items():
        api, service = uid(("api", name)), uid(("service", name))
        made.apis[api] = Api(api, name, "v1", tuple(Acceptance(PORTAL, one) for one in accepted))
        made.services[service] = Service(service, api)
    registrations = {uid(("api", name)): RegistrationState.APPROVED for name in accepts}
    for provider in providers:
        strategy = strategies[provider.issuer]
        rule = OpenIdConnect(provider.issuer, audience_required=(_AUDIENCE,), scopes_required=("weather.read",))
        made.strategies[strategy] = Strategy(strategy, "tokens", StrategyType.OPENID_CONNECT, openid_connect=rule)
        made.issuers[provider.issuer] = provider.record()
        for number in range(CLIENTS):
            application = Application(
                uid((strategy, number)), PORTAL, strategy, uid("developer"), registrations=registrations
            )
            client = Client(client_key(strategy, _client(number)), uid(("client", strategy, number)), application.id)
            made.applications[application.id] = application
            made.clients[client.id] = client
    for number, key in enumerate(keys):
        application = Application(uid(number), PORTAL, key_strategy, uid("developer"), registrations=registrations)
        made.applications[application.id] = application
        made.credentials[digest(key)] = Credential(uid(("key", number)), application.id)
    return made


def _client(number: int) -> str:
    return str(uid(("client id", number)))


def _tokens(provider: Provider, number: int) -> list[str]:
    """Tokens of the usual content, all of one length: about a thousand characters with RS256."""
    return [
        provider.token(
            _client(each % CLIENTS),
            aud=_AUDIENCE,
            scope="openid profile weather.read weather.write",
            jti=str(uid(each)),
            exp=int(time.time()) + 3600,
            org_id="org_0123456789abcdef",
            sid=str(uid(("session", each))),
            gty="client-credentials",
        )
        for each in range(number)
    ]


def works(directory: Path, providers: Sequence[Provider], keys: Sequence[str], plan: Plan) -> list[Work]:
    """Write the credentials of all kinds of requests."""
    file = directory / "keys"
    file.write_text("".join(keys))
    found = [
        Work("key, where only keys are taken", KEYS, file, KEY_LENGTH, False),
        Work("key, where tokens are taken too", BOTH, file, KEY_LENGTH, False),
    ]
    for provider in providers:
        tokens = _tokens(provider, plan.misses)
        for name, some in (("hit", tokens[:CLIENTS]), ("miss", tokens)):
            file = directory / f"{provider.key.algorithm}.{name}"
            file.write_text("".join(some))
            found.append(Work(f"{provider.key.algorithm} {name}", provider.issuer, file, len(tokens[0]), True))
    return found


def _headers(work: Work) -> Headers:
    """The request of `bench.kong`, with a token in the place of the key."""
    if not work.is_token:
        return headers(Protocol.PROTOBUF, work.length)
    token = "T" * work.length
    sent = {
        "host": "weather.api.example.com",
        "user-agent": "python-requests/2.32.3",
        "accept": "application/json",
        "accept-encoding": "gzip, deflate, br",
        "accept-language": "en-GB,en;q=0.9",
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "x-request-id": "7d1f4bde-2a55-4a0c-9b0e-5d4f2c0b8a11",
        "x-forwarded-for": "203.0.113.27",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    }
    body = write_headers(sent)
    return Headers(body, body.index(token.encode()))


def measure(plan: Plan, driver: Driver, server: Server, all_works: Sequence[Work]) -> list[Cost]:
    """Measure all kinds in turn within a round, so that a busy machine is busy for each of them."""
    workers = [pid for pid, role in server.roles().items() if role.startswith("worker")]
    figures: dict[str, list[tuple[float, float]]] = {work.name: [] for work in all_works}
    for _ in range(plan.rounds):
        for work in all_works:
            connection = Connection(server.socket, server.protocol)
            config = {"region": REGION, "service_id": uid(("service", work.service))}
            instance = connection.start_instance("app-auth", config)
            connection.close()
            target = Target(server.socket, server.protocol, instance, _headers(work), work.credentials, work.length)
            marks: list[Cpu] = []
            load = driver.run(
                target,
                CONNECTIONS,
                warm_up=plan.warm_up,
                seconds=plan.seconds,
                mark=lambda marks=marks: marks.append(cpu(workers)),  # type: ignore[misc]
            )
            server.check()
            if not load.events or load.allowed != load.events:
                raise RuntimeError(f"{work.name}: of {load.events} requests {load.allowed} passed: {load.exits}")
            used = marks[1].since(marks[0]).total
            figures[work.name].append((1e6 * used / load.events, load.events / load.seconds))
    return [
        Cost(
            name,
            statistics.median(us for us, _ in rounds),
            min(us for us, _ in rounds),
            max(us for us, _ in rounds),
            statistics.median(rate for _, rate in rounds),
            bar_of(name),
        )
        for name, rounds in figures.items()
    ]


@contextmanager
def _region(valkey: RedisServer, wanted: Contents) -> Generator[None]:
    """The registry, written once; nothing in it changes meanwhile, and its copy is trusted for an hour."""
    client = connect(valkey.url)
    try:
        writer = Writer(client, REGION, holder="bench", lease_seconds=60.0)
        if not writer.acquire() or not isinstance(writer.begin_epoch(), Position):
            raise RuntimeError("the registry refused to be written")
        for batch in in_batches(diff(Contents(), wanted)):
            writer.write(batch)
        writer.complete()
        yield
    finally:
        client.close()


def rotations(number: int) -> list[float]:
    """Milliseconds until a new key is taken, each time. The daemon fetches on request once in some seconds."""
    found: list[float] = []
    with token_path() as running:
        path = running.path
        for _ in range(number):
            if found:
                time.sleep(REFRESH_EVERY)
            old = path.provider.token(resource=WEATHER)
            while path.bearer("weather", old).status != 200:
                time.sleep(0.01)
            path.provider.rotate()
            new = path.provider.token(resource=WEATHER)
            began = time.monotonic()
            while path.bearer("weather", new).status != 200:
                if time.monotonic() - began > _PATIENCE:
                    raise RuntimeError("a new key is not taken")
            found.append(1000 * (time.monotonic() - began))
    return found


def bar_of(name: str) -> float | None:
    """The bar of a figure, if it has one."""
    return next((bar for ending, bar in WORKER_BARS.items() if name.endswith(ending)), None)


def main() -> int:
    """Measure, print, keep; 1 where a figure is beyond its bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run that shows that the benchmark works")
    parser.add_argument("--results", type=Path, default=_RESULTS)
    options = parser.parse_args()
    plan = QUICK if options.quick else FULL
    described, began = machine.describe(), time.monotonic()
    providers = [Provider("https://rs.example.com", "RS256"), Provider("https://es.example.com", "ES256")]
    keys = [mint(REGION) for _ in range(CLIENTS)]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kaa-")))
        valkey = stack.enter_context(redis_server())
        all_works = works(directory, providers, keys, plan)
        stack.enter_context(_region(valkey, contents(providers, keys)))
        node = directory / "node"
        server = stack.enter_context(gateway_node(node, valkey.url, lambda _: None))
        wait_for_copy(server, Replica(replica_directory(node)), 60.0)
        costs = measure(plan, make_driver(directory), server, all_works)
    try:
        installation.node()
        delays = rotations(plan.rotations)
    except installation.NotInstallable:
        delays = []
    results = Results(
        plan="quick" if options.quick else "full",
        machine=described,
        seconds=time.monotonic() - began,
        connections=CONNECTIONS,
        costs=costs,
        rotations=delays,
        rotation_bar_ms=ROTATION_BAR_MS,
    )
    keep(results, options.results)
    Console().print(Markdown(markdown(results)))
    return 0 if results.within_bars else 1


if __name__ == "__main__":
    raise SystemExit(main())
