"""Keeps a Kong with a database as it should be, by its Admin API. Used by one thread."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec
import structlog

from kong_app_auth.sync.kong.admin_api import AdminApi
from kong_app_auth.sync.kong.compare import defaults_of, differences
from kong_app_auth.sync.kong.entities import APP_AUTH, TERMINATION, Config, Found, tags_of
from kong_app_auth.sync.kong.failures import OF_THE_WHOLE, Code, Failure, KongFailed
from kong_app_auth.sync.kong.outcome import Outcome, Pass, State
from kong_app_auth.sync.kong.plan import Delete, OnUnlink, Ours, Policy, Put, Step, Target, plan, recognise
from kong_app_auth.sync.kong.preview import Preview
from kong_app_auth.sync.kong.wanted import Wanted

LONGEST_WAIT: Final = 60.0
"""Seconds until a service that failed is tried again, at most: the wait is doubled each time, until what is wanted
changes."""

_log = structlog.get_logger()


class _Trouble(msgspec.Struct):
    """A service that failed; `due` by the monotonic clock."""

    failure: Failure
    due: float
    wait: float


class Look(msgspec.Struct, frozen=True):
    """What a Kong has, and what is to be done. `absent`: services that are wanted and that it has not."""

    ours: Ours
    steps: tuple[Step, ...]
    absent: frozenset[str]
    blocked: frozenset[str]


class TraditionalKong:
    """One Kong with a database.

    A pass in which nothing is to be done costs the pages of our plugins, and those of the services where some that are
    wanted carry none of ours.
    """

    def __init__(self, api: AdminApi, policy: Policy, first_wait: float = 10.0) -> None:
        """Take an Admin API; `first_wait`: seconds until a service that failed is tried again for the first time."""
        self._api = api
        self._policy = policy
        self._first_wait = first_wait
        self._tags = tags_of(policy.region)
        self._defaults: dict[str, Config] = {}
        self._blocked: frozenset[str] = frozenset()
        self._stood: dict[str, Target] | None = None
        self._absent: frozenset[str] = frozenset()
        self._wanted: Wanted | None = None
        self._troubles: dict[str, _Trouble] = {}
        self._strays: frozenset[str] = frozenset()

    def look(self, wanted: Wanted) -> Look:
        """Compare what is there with what is wanted, and change nothing. Raises KongFailed."""
        found = self._api.plugins(self._tags)
        ours = recognise(self._policy, found, wanted.enforced | self._blocked)
        carrying = ours.services(APP_AUTH)
        services: frozenset[str] | None = None
        if ours.strays or not wanted.enforced <= carrying or not self._blocked <= ours.services(TERMINATION):
            services = self._api.service_ids()
            if ours.strays:
                ours = recognise(self._policy, found, services | wanted.enforced | self._blocked)
        ours = self._with_stripped(ours, wanted)
        enforced = wanted.enforced if services is None else wanted.enforced & services
        blocked = self._to_block(wanted, ours)
        if services is not None:
            blocked &= services
        for name, wants in ((APP_AUTH, enforced), (TERMINATION, blocked)):
            if name not in self._defaults and (wants or ours.services(name)):
                self._learn_defaults(name)
        steps = plan(self._policy, enforced, blocked, ours, self._defaults)
        if any(isinstance(action, Put) and action.there for step in steps for action in step.actions):
            # Another version of the plugin has other defaults: that is no difference.
            for name in list(self._defaults):
                self._learn_defaults(name)
            steps = plan(self._policy, enforced, blocked, ours, self._defaults)
        return Look(ours, tuple(steps), wanted.enforced - enforced, blocked)

    def preview(self, wanted: Wanted) -> list[Preview]:
        """Say what `bring` would do, as far as it can be known beforehand. Raises KongFailed."""
        look = self.look(wanted)
        return [Preview(self._api.url, look.steps, look.absent)]

    def bring(self, wanted: Wanted, go_on: Callable[[], bool] = lambda: True) -> Pass:
        """Bring it to what is wanted. It ends early where `go_on` says no."""
        now = time.monotonic()
        try:
            look = self.look(wanted)
        except KongFailed as failed:
            return Pass(self._as_before(wanted), failed.failure)
        self._say_strays(look.ours)
        if wanted != self._wanted:
            self._troubles.clear()
        self._wanted = wanted
        self._blocked, self._absent = look.blocked, look.absent
        before, stands = self._stood, self._standing_now(wanted, look)
        changed, put_back = 0, list[str]()
        ended: Failure | None = None
        waiting, tried = deque(look.steps), set[str]()
        while waiting:
            step = waiting.popleft()
            trouble = self._troubles.get(step.service_id)
            if trouble is not None and now < trouble.due:
                continue
            if not go_on():
                break
            by_hand = before is not None and before.get(step.service_id, Target.NOTHING) is step.target
            try:
                for action in step.actions:
                    said = self._do(action)
                    changed += 1
                    if by_hand:
                        put_back.append(said)
            except KongFailed as failed:
                if failed.failure.code in OF_THE_WHOLE:
                    ended = failed.failure
                    break
                if failed.failure.code is Code.PLUGIN_CONFLICT and waiting and step.service_id not in tried:
                    # It may be a plugin of ours that somebody moved there, and that goes in one of the other steps.
                    tried.add(step.service_id)
                    waiting.append(step)
                    continue
                self._failed(step.service_id, failed.failure, now)
                continue
            self._troubles.pop(step.service_id, None)
            stands[step.service_id] = step.target
        for gone in self._troubles.keys() - {step.service_id for step in look.steps}:
            del self._troubles[gone]
        self._stood = stands
        return Pass(self._outcomes(wanted), ended, changed, tuple(put_back))

    def forget(self) -> None:
        """Forget how services stood: what is other then is no drift."""
        self._stood = None

    def _with_stripped(self, ours: Ours, wanted: Wanted) -> Ours:
        """Add plugins of ours that are to go, and that are not in the list: somebody may have taken their tags away."""
        going = {
            (service_id, APP_AUTH if target is Target.ENFORCED else TERMINATION)
            for service_id, target in (self._stood or {}).items()
            if (target is Target.ENFORCED) != (service_id in wanted.enforced)
        }
        found: dict[tuple[str, str], Found] = {}
        for service_id, name in sorted(going - ours.plugins.keys()):
            there = self._api.plugin(self._policy.id(service_id, name))
            if there is not None:
                found[service_id, name] = there
        return Ours({**ours.plugins, **found}, ours.strays) if found else ours

    def _to_block(self, wanted: Wanted, ours: Ours) -> frozenset[str]:
        """Services that are blocked, or lose our plugin now. What was blocked once stays so until it is linked."""
        if self._policy.on_unlink is OnUnlink.OPEN:
            return frozenset()
        return (self._blocked | ours.services(TERMINATION) | ours.services(APP_AUTH)) - wanted.enforced

    def _learn_defaults(self, name: str) -> None:
        self._defaults[name] = defaults_of(self._api.schema(name))

    def _standing_now(self, wanted: Wanted, look: Look) -> dict[str, Target]:
        """Say what services carry before anything is done; those that are to be changed stay what they were."""
        unfinished = {step.service_id for step in look.steps}
        stands = dict.fromkeys(wanted.enforced - look.absent - unfinished, Target.ENFORCED)
        stands |= dict.fromkeys(look.blocked - unfinished, Target.BLOCKED)
        for service_id in unfinished:
            was = (self._stood or {}).get(service_id)
            if was is not None:
                stands[service_id] = was
        return stands

    def _do(self, action: Put | Delete) -> str:
        """Do one thing, and say it. Raises KongFailed."""
        if isinstance(action, Delete):
            there = action.there
            self._api.delete_plugin(there.id)
            _log.info("plugin removed", plugin=there.name, id=there.id, service=there.service_id)
            return f"{there.name} on {there.service_id}: removed"
        plugin = action.plugin
        kept = self._api.put_plugin(plugin)
        left = differences(kept, plugin, self._defaults.get(plugin.name, {})) if plugin.name in self._defaults else []
        if left:
            raise KongFailed(
                Code.DATA_CONSTRAINT_ERROR, f"Kong keeps another plugin than it was given ({left[0].field})"
            )
        unequal = "; ".join(str(one) for one in action.unequal)
        _log.info(
            "plugin put", plugin=plugin.name, id=plugin.id, service=plugin.service_id, because=unequal or "missing"
        )
        return f"{plugin.name} on {plugin.service_id}: {unequal or 'missing'}"

    def _failed(self, service_id: str, failure: Failure, now: float) -> None:
        known = self._troubles.get(service_id)
        wait = self._first_wait if known is None else min(2 * known.wait, LONGEST_WAIT)
        if known is None or known.failure != failure:
            _log.warning("service cannot be brought in order", service=service_id, problem=failure.message)
        self._troubles[service_id] = _Trouble(failure, now + wait, wait)

    def _outcomes(self, wanted: Wanted) -> dict[str, Outcome]:
        found = {**self._as_before(wanted), **dict.fromkeys(self._absent, Outcome(State.ABSENT))}
        for service_id, trouble in self._troubles.items():
            found[service_id] = Outcome(State.FAILED, trouble.failure)
        return found

    def _as_before(self, wanted: Wanted) -> dict[str, Outcome]:
        """Say how services stand by all that is known: what is not known to be done is pending."""
        stood = self._stood or {}
        found: dict[str, Outcome] = {}
        for service_id in sorted(wanted.enforced):
            if stood.get(service_id) is Target.ENFORCED:
                found[service_id] = Outcome(State.ENFORCED)
            else:
                found[service_id] = Outcome(State.ABSENT if service_id in self._absent else State.PENDING)
        for service_id in sorted(self._blocked - wanted.enforced):
            done = stood.get(service_id) is Target.BLOCKED
            found[service_id] = Outcome(State.BLOCKED if done else State.PENDING)
        return found

    def _say_strays(self, ours: Ours) -> None:
        strays = frozenset(one.id for one in ours.strays)
        for stray in strays - self._strays:
            _log.warning("a plugin has our tags and is not ours, it is left alone", id=stray)
        self._strays = strays
