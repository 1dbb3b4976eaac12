"""What is to be done, and that no service is open at any moment of it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from kong_app_auth import plugin
from kong_app_auth.sync.kong.compare import defaults_of, differences, expected, overlaid
from kong_app_auth.sync.kong.entities import APP_AUTH, TERMINATION, Found, Managed, Reference, plugin_id, tags_of
from kong_app_auth.sync.kong.plan import OnUnlink, Policy, Put, Step, Target, plan, recognise

SERVICES = [f"5e000000-0000-4000-8000-{number:012x}" for number in range(3)]
POLICY = Policy("eu", {"realm": "x"}, OnUnlink.BLOCK)
SCHEMA = {"fields": [{"config": {"type": "record", "fields": plugin.Schema}}]}
DEFAULTS = {APP_AUTH: defaults_of(SCHEMA), TERMINATION: {"status_code": 503, "echo": False}}


def there(managed: Managed, **changes: Any) -> Found:
    """A plugin of ours as Kong has it."""
    fields: dict[str, Any] = {
        "service": Reference(managed.service_id),
        "config": expected(managed, DEFAULTS[managed.name]) | {"message_of_kong": None},
        "protocols": ("http", "https", "grpc", "grpcs"),
        "tags": managed.tags,
    }
    return Found(managed.id, managed.name, **{**fields, **changes})


def test_ids_follow_from_what_a_plugin_is_for() -> None:
    assert plugin_id("eu", SERVICES[0], APP_AUTH) == plugin_id("eu", SERVICES[0], APP_AUTH)
    several = [("eu", SERVICES[0], APP_AUTH), ("us", SERVICES[0], APP_AUTH), ("eu", SERVICES[1], APP_AUTH)]
    assert len({plugin_id(*one) for one in [*several, ("eu", SERVICES[0], TERMINATION)]}) == 4
    assert tags_of("eu") != tags_of("us")


def test_defaults_are_those_of_the_schema_nested_ones_too() -> None:
    assert DEFAULTS[APP_AUTH] == {
        "key_in_header": True,
        "key_in_query": False,
        "hide_credentials": True,
        "run_on_preflight": True,
        "max_staleness": 3600,
        "reveal_reason": False,
    }
    inner = {"type": "record", "fields": [{"b": {"type": "number", "default": 1}}, {"c": {"type": "string"}}]}
    config = {"fields": [{"a": {**inner, "required": True}}, {"d": inner}, {"e": {**inner, "default": {"c": "x"}}}]}
    assert defaults_of({"fields": [{"config": config}]}) == {"a": {"b": 1}, "e": {"b": 1, "c": "x"}}
    for odd in (None, {}, {"fields": None}, {"fields": [1, {"config": 2}]}, {"fields": [{"config": {"fields": {}}}]}):
        assert defaults_of(odd) == {}
    assert overlaid({"a": {"b": 1}, "c": 2}, {"a": {"d": 3}, "c": None}) == {"a": {"b": 1, "d": 3}, "c": 2}


def test_what_kong_shows_for_ours_is_no_difference() -> None:
    managed = POLICY.plugin(SERVICES[0])
    assert differences(there(managed), managed, DEFAULTS[APP_AUTH]) == []
    assert differences(there(managed, protocols=None), managed, DEFAULTS[APP_AUTH]) == []
    assert (
        differences(
            there(managed, config={**there(managed).config, "max_staleness": 3600.0}), managed, DEFAULTS[APP_AUTH]
        )
        == []
    )


def test_differences_are_named_and_no_long_text_is_shown() -> None:
    managed = POLICY.plugin(SERVICES[0])
    secret = "x" * 40
    changed = there(managed, enabled=False, config={**there(managed).config, "realm": secret, "key_in_query": 0})
    said = [str(one) for one in differences(changed, managed, DEFAULTS[APP_AUTH])]
    assert said == [
        "enabled: false instead of true",
        "config.key_in_query: 0 instead of false",
        'config.realm: (withheld) instead of "x"',
    ]


def test_a_plugin_of_another_region_is_a_stray() -> None:
    theirs = there(Policy("us").plugin(SERVICES[0]))
    ours = recognise(POLICY, [theirs, there(POLICY.plugin(SERVICES[1]))], SERVICES)
    assert (set(ours.plugins), ours.strays) == ({(SERVICES[1], APP_AUTH)}, (theirs,))


def test_a_plugin_that_was_moved_is_known_by_its_id() -> None:
    moved = there(POLICY.plugin(SERVICES[0]), service=None)
    assert set(recognise(POLICY, [moved], SERVICES).plugins) == {(SERVICES[0], APP_AUTH)}
    assert recognise(POLICY, [moved], []).strays == (moved,)


def test_links_are_made_before_others_are_undone() -> None:
    ours = recognise(POLICY, [there(POLICY.plugin(SERVICES[0]))], SERVICES)
    steps = plan(POLICY, {SERVICES[1]}, set(), ours, DEFAULTS)
    assert [(step.service_id, step.target) for step in steps] == [
        (SERVICES[1], Target.ENFORCED),
        (SERVICES[0], Target.NOTHING),
    ]


carried = st.dictionaries(
    st.tuples(st.sampled_from(SERVICES), st.sampled_from([APP_AUTH, TERMINATION])),
    st.sampled_from([{}, {"enabled": False}, {"tags": ()}]),
)


@settings(max_examples=50)
@given(
    carried=carried,
    enforced=st.sets(st.sampled_from(SERVICES)),
    blocked=st.sets(st.sampled_from(SERVICES)),
    failing=st.integers(0, 12),
)
def test_no_service_is_open_at_any_moment(
    carried: dict[tuple[str, str], dict[str, Any]], enforced: set[str], blocked: set[str], failing: int
) -> None:
    state: dict[str, Found] = {}
    for (service_id, name), changes in carried.items():
        managed = POLICY.plugin(service_id) if name == APP_AUTH else POLICY.block(service_id)
        state[managed.id] = there(managed, **changes)
    ours = recognise(POLICY, state.values(), SERVICES)
    guarded = {one for one in enforced | blocked if _is_guarded(state, one)}
    steps = plan(POLICY, enforced, blocked, ours, DEFAULTS)
    done = 0
    for step in steps:
        done = _carry_out(step, state, done, failing, guarded)
    if failing == 0 or done < failing:
        again = plan(POLICY, enforced, blocked, recognise(POLICY, state.values(), SERVICES), DEFAULTS)
        assert again == []


def _carry_out(step: Step, state: dict[str, Found], done: int, failing: int, guarded: set[str]) -> int:
    """Do a step's actions, of which the one with the number `failing` of all fails."""
    for action in step.actions:
        done += 1
        if done == failing:
            break
        if isinstance(action, Put):
            state[action.plugin.id] = there(action.plugin)
        else:
            del state[action.there.id]
        if step.target is not Target.NOTHING:
            assert all(_is_guarded(state, one) for one in guarded)
    return done


def _is_guarded(state: dict[str, Found], service_id: str) -> bool:
    return any(
        one.enabled and one.service_id == service_id and one.id == POLICY.id(service_id, name)
        for one in state.values()
        for name in (APP_AUTH, TERMINATION)
    )
