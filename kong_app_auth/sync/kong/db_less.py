"""Keeps Kongs without a database as they should be: the operator's configuration and ours, posted to each node.

Used by one thread. A node is told apart from what it should be by the MD5 of the text that it was given last.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog

from kong_app_auth.sync.kong.admin_api import AdminApi
from kong_app_auth.sync.kong.compare import defaults_of
from kong_app_auth.sync.kong.entities import APP_AUTH, TERMINATION, Found, Managed, tags_of
from kong_app_auth.sync.kong.failures import Code, Failure, KongFailed
from kong_app_auth.sync.kong.merge import MOST_BYTES, CannotMerge, Declared, merged, read_declared
from kong_app_auth.sync.kong.outcome import Outcome, Pass, State
from kong_app_auth.sync.kong.plan import OnUnlink, Ours, Policy, plan, recognise
from kong_app_auth.sync.kong.preview import Preview
from kong_app_auth.sync.kong.wanted import Wanted

CONFLICT: Final = Failure(
    Code.PLUGIN_CONFLICT, f"the declarative file has a plugin {APP_AUTH} on this service, which is not ours"
)

_log = structlog.get_logger()


class Target(msgspec.Struct, frozen=True):
    """What each node is to have: a text, its MD5 in hex, and how services stand where it is in force."""

    text: str
    md5: str
    services: dict[str, Outcome]
    enforced: frozenset[str]
    blocked: frozenset[str]


class DbLessKong:
    """A group of nodes without a database that have the same configuration.

    A pass in which nothing is to be done costs one request a node. Services that were blocked are remembered as long
    as this object lives, or a node that it talks to has them so.
    """

    def __init__(self, nodes: Callable[[], Sequence[AdminApi]], policy: Policy, file: Path) -> None:
        """Take what gives the nodes' Admin APIs for each look (it may raise KongFailed), and the operator's file."""
        self._nodes = nodes
        self._policy = policy
        self._file = file
        self._read: tuple[bytes, Declared] | None = None
        self._carried: frozenset[str] = frozenset()
        self._blocked: frozenset[str] = frozenset()
        self._posted: dict[str, str] = {}
        self._looked: set[str] = set()
        self._services: dict[str, Outcome] = {}
        self._target: tuple[object, Target] | None = None

    def target(self, wanted: Wanted) -> Target:
        """Say what each node is to have. Raises CannotMerge."""
        declared = self._declared()
        enforced = wanted.enforced & declared.services.keys()
        conflicts = enforced & declared.carry(APP_AUTH)
        blocked = self._to_block(wanted) & declared.services.keys()
        given = (declared.text, wanted, blocked)
        if self._target is not None and self._target[0] == given:
            return self._target[1]
        plugins: list[Managed] = [self._policy.plugin(each) for each in sorted(enforced - conflicts)]
        # What the operator terminates needs no second plugin for it, and may not have one.
        plugins += [self._policy.block(each) for each in sorted(blocked - declared.carry(TERMINATION))]
        if any(one.id in declared.taken for one in plugins):
            raise CannotMerge("it holds plugins with ids of ours: take out what a daemon or `render` put in")
        text = merged(declared, plugins)
        services = dict.fromkeys(sorted(wanted.enforced - enforced), Outcome(State.ABSENT))
        services |= dict.fromkeys(sorted(enforced - conflicts), Outcome(State.ENFORCED))
        services |= dict.fromkeys(sorted(conflicts), Outcome(State.FAILED, CONFLICT))
        services |= dict.fromkeys(sorted(blocked), Outcome(State.BLOCKED))
        md5 = hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
        target = Target(text, md5, services, enforced - conflicts, blocked)
        self._target = (given, target)
        return target

    def bring(self, wanted: Wanted, go_on: Callable[[], bool] = lambda: True) -> Pass:
        """Bring the nodes to what is wanted; one that fails does not hold up the others."""
        changed, put_back = 0, list[str]()
        failures: list[Failure] = []
        try:
            nodes = {api.url: api for api in self._nodes()}
        except KongFailed as failed:
            return Pass(self._as_before(wanted), failed.failure)
        self._only(nodes)
        hashes = self._hashes(nodes, failures)
        try:
            target = self.target(wanted)
        except CannotMerge as cannot:
            failure = Failure(Code.DATA_CONSTRAINT_ERROR, f"the declarative file cannot be used: {cannot}")
            return Pass(self._as_before(wanted), failure)
        for url, found in hashes.items():
            if found == target.md5:
                self._posted[url] = target.md5
                continue
            if not go_on():
                return Pass(self._as_before(wanted), None, changed, tuple(put_back))
            try:
                nodes[url].post_config(target.text)
            except KongFailed as failed:
                failures.append(_of_node(url, failed.failure))
                continue
            changed += 1
            self._carried |= target.enforced
            _log.info("configuration posted", node=url, md5=target.md5)
            if self._posted.get(url) == target.md5:
                put_back.append(f"{url}: it had another configuration")
            self._posted[url] = target.md5
        self._blocked = target.blocked
        if failures:
            return Pass(self._as_before(wanted), failures[0], changed, tuple(put_back))
        self._carried = target.enforced
        self._services = target.services
        return Pass(target.services, None, changed, tuple(put_back))

    def forget(self) -> None:
        """Forget what nodes were given: another daemon may post from now on, and that is no drift."""
        self._posted.clear()
        self._looked.clear()

    def preview(self, wanted: Wanted) -> list[Preview]:
        """Say what `bring` would do to each node. Raises KongFailed and CannotMerge."""
        nodes = self._nodes()
        found = [self._look_at(api) for api in nodes]
        target = self.target(wanted)
        previews: list[Preview] = []
        for api, ours in zip(nodes, found, strict=True):
            names = {name for _, name in ours.plugins} | {APP_AUTH}
            defaults = {name: defaults_of(api.schema(name)) for name in sorted(names)}
            steps = plan(self._policy, target.enforced, target.blocked, ours, defaults)
            problems = {each: one.failure for each, one in target.services.items() if one.failure is not None}
            absent = frozenset(each for each, one in target.services.items() if one.state is State.ABSENT)
            posts = api.configuration_hash() != target.md5
            previews.append(Preview(api.url, tuple(steps), absent, problems, posts))
        return previews

    def _only(self, nodes: Mapping[str, AdminApi]) -> None:
        """Forget nodes that are gone: one that comes back has another configuration, and that is no drift."""
        self._looked &= nodes.keys()
        for gone in self._posted.keys() - nodes.keys():
            del self._posted[gone]

    def _hashes(self, nodes: Mapping[str, AdminApi], failures: list[Failure]) -> dict[str, str | None]:
        """Ask the nodes which configuration they have; look at those that are new to us."""
        found: dict[str, str | None] = {}
        for url, api in nodes.items():
            try:
                found[url] = api.configuration_hash()
                if url not in self._looked:
                    self._look_at(api)
            except KongFailed as failed:
                found.pop(url, None)
                failures.append(_of_node(url, failed.failure))
        return found

    def _look_at(self, api: AdminApi) -> Ours:
        tags = tags_of(self._policy.region)
        # Kong 3.9.1 without a database fails on `?tags=` where a plugin has none: they are told apart here.
        plugins: list[Found] = [one for one in api.plugins() if one.has(tags)]
        ours = recognise(self._policy, plugins, ())
        self._carried |= ours.services(APP_AUTH)
        self._blocked |= ours.services(TERMINATION)
        self._looked.add(api.url)
        return ours

    def _to_block(self, wanted: Wanted) -> frozenset[str]:
        if self._policy.on_unlink is OnUnlink.OPEN:
            return frozenset()
        return (self._blocked | self._carried) - wanted.enforced

    def _declared(self) -> Declared:
        try:
            with self._file.open("rb") as file:
                data = file.read(MOST_BYTES + 1)
        except OSError as error:
            raise CannotMerge(f"it cannot be read: {error.strerror}") from None
        if self._read is None or self._read[0] != data:
            self._read = (data, read_declared(data))
        return self._read[1]

    def _as_before(self, wanted: Wanted) -> dict[str, Outcome]:
        """Say how services stand by all that is known: what is not known to be done is pending."""
        pending = Outcome(State.PENDING)
        found = {each: self._services.get(each, pending) for each in sorted(wanted.enforced)}
        return found | {
            each: outcome
            for each, outcome in self._services.items()
            if outcome.state is State.BLOCKED and each not in wanted.enforced
        }


def _of_node(url: str, failure: Failure) -> Failure:
    return Failure(failure.code, f"{url}: {failure.message}")
