"""What a good apps.yaml means in the registry."""

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_app_auth.domain.api_key import digest
from kong_app_auth.domain.records import Acceptance, Credential, CredentialState, RegistrationState, Service
from kong_app_auth.registry.changes import in_batches
from kong_app_auth.registry.contents import Contents, diff
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.declarative.document import parse

KEY = "kaa_eu_ExampleKeyOnlyForTryingOut0000014B9O62"
SERVICE = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


def contents(document: dict[str, object]) -> Contents:
    text = yaml.safe_dump({"_format_version": "1.0", "region": "eu", **document}, sort_keys=False)
    answer = parse(text.encode(), "apps.yaml", "eu")
    assert isinstance(answer, Contents), answer
    return answer


def document() -> dict[str, object]:
    return {
        "auth_strategies": [
            {"name": "keys", "strategy_type": "key_auth"},
            {"name": "others", "strategy_type": "key_auth", "configs": {"key-auth": {"key_names": ["X-Key", "k"]}}},
        ],
        "apis": [
            {"name": "Weather API", "version": "v1", "implementations": [{"service": {"id": SERVICE}}]},
            {"name": "Maps API"},
            {"name": "Status API", "slug": "status"},
        ],
        "portals": [
            {
                "name": "Production",
                "default_auth_strategy": "keys",
                "publications": [
                    {"api": "Weather API v1"},
                    {"api": "Maps API", "auth_strategy": "others"},
                    {"api": "status", "auth_strategy": None},
                ],
                "developers": [{"name": "alice"}, {"name": "bob", "status": "pending"}],
                "teams": [{"name": "logistics"}],
                "applications": [
                    {
                        "name": "dashboard",
                        "developer": "alice",
                        "registrations": [{"api": "Weather API v1", "status": "approved"}],
                        "credentials": [
                            {"name": "first", "key": KEY},
                            {
                                "name": "second",
                                "key_sha256": "AB" * 32,
                                "status": "revoked",
                                "expires_at": "2027-01-01T01:00:00.9+01:00",
                            },
                        ],
                    },
                    {
                        "name": "planner",
                        "team": "logistics",
                        "registrations": [{"api": "Maps API", "status": "pending"}],
                    },
                    {"name": "dashboard", "developer": "bob"},
                ],
            },
            {"name": "Staging", "publications": [{"api": "Weather API v1", "auth_strategy": "others"}]},
        ],
    }


def portal(of: dict[str, object], index: int = 0) -> dict[str, object]:
    return of["portals"][index]  # type: ignore[index]


def test_an_application_its_registrations_and_its_keys() -> None:
    read = contents(document())
    first = read.credentials[digest(KEY)]
    application = read.applications[first.application_id]
    (api_id,) = application.registrations
    assert read.apis[api_id].name == "Weather API"
    assert application.registrations[api_id] is RegistrationState.APPROVED
    assert read.strategies[application.strategy_id].name == "keys"
    assert not application.developer_revoked
    assert application.developer_id is not None
    assert (first.state, first.expires_at) == (CredentialState.ACTIVE, None)
    second = read.credentials[bytes.fromhex("ab" * 32)]
    assert second == Credential(second.id, application.id, CredentialState.REVOKED, 1798761600)


def test_an_api_accepts_what_its_publications_say() -> None:
    read = contents(document())
    by_name = {api.name: api for api in read.apis.values()}
    names = {strategy.id: strategy.name for strategy in read.strategies.values()}
    weather = by_name["Weather API"]
    assert [names[acceptance.strategy_id] for acceptance in weather.accepts] == ["keys", "others"]
    assert len({acceptance.portal_id for acceptance in weather.accepts}) == 2
    assert [names[acceptance.strategy_id] for acceptance in by_name["Maps API"].accepts] == ["others"]
    assert by_name["Status API"].accepts == ()
    assert read.services == {SERVICE: Service(SERVICE, weather.id)}


def test_key_names_default_to_those_of_kong() -> None:
    assert {s.name: s.key_names for s in contents(document()).strategies.values()} == {
        "keys": ("apikey",),
        "others": ("X-Key", "k"),
    }


def test_a_team_owns_without_a_developer() -> None:
    (planner,) = (a for a in contents(document()).applications.values() if a.developer_id is None)
    assert not planner.developer_revoked


@pytest.mark.parametrize(
    ("status", "shut_out"), [("approved", False), ("pending", True), ("rejected", True), ("revoked", True)]
)
def test_only_an_approved_developers_applications_may_call(status: str, shut_out: bool) -> None:
    changed = document()
    portal(changed)["developers"] = [{"name": "alice", "status": status}, {"name": "bob"}]
    application_id = contents(changed).credentials[digest(KEY)].application_id
    assert contents(changed).applications[application_id].developer_revoked is shut_out


def test_a_developer_may_go_by_an_id_alone() -> None:
    changed = document()
    developer = "9b2e1f0c-8a4d-4c55-b0a3-2f6d8e7c1a90"
    portal(changed)["developers"] = [{"id": developer.upper()}, {"name": "alice"}, {"name": "bob"}]
    portal(changed)["applications"] = [{"name": "a", "developer": developer}]
    (application,) = contents(changed).applications.values()
    assert application.developer_id == developer


@pytest.mark.parametrize("status", ["rejected", "revoked"])
def test_taking_the_only_approval_away_keeps_the_file_good_and_the_strategy(status: str) -> None:
    changed = document()
    portal(changed, 0)["default_auth_strategy"] = "others"
    publications = portal(changed, 0)["publications"]
    publications[0]["auth_strategy"] = "keys"  # type: ignore[index]
    before = contents(changed)
    application = portal(changed)["applications"][0]  # type: ignore[index]
    application["registrations"][0]["status"] = status
    after = contents(changed)
    old, new = (next(a for a in read.applications.values() if a.registrations) for read in (before, after))
    assert old.strategy_id == new.strategy_id
    assert old.id == new.id


def test_a_revoked_registration_may_outlive_the_publication() -> None:
    changed = document()
    portal(changed)["publications"] = []
    for application in portal(changed)["applications"]:  # type: ignore[attr-defined]
        for registration in application.get("registrations", []):
            registration["status"] = "revoked"
    assert all(not api.accepts or len(api.accepts) == 1 for api in contents(changed).apis.values())


def test_a_version_is_taken_as_it_is_written() -> None:
    text = "_format_version: 1.0\nregion: eu\napis: [{name: A, version: 1.10}, {name: B, version: 2027-01-01}]\n"
    read = parse(text.encode(), "apps.yaml", "eu")
    assert isinstance(read, Contents)
    assert [api.version for api in read.apis.values()] == ["1.10", "2027-01-01"]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm() -> None:
    text = '\ufeff_format_version: "1.0"\r\nregion: eu\r\napis:\r\n  - name: A\r\n'
    assert isinstance(parse(text.encode(), "apps.yaml", "eu"), Contents)


def test_ids_are_those_of_today_for_ever() -> None:
    """Ids stand in upstreams' databases and logs: these values must never change."""
    read = contents(document())
    ids = {
        "api": next(a.id for a in read.apis.values() if a.name == "Weather API"),
        "strategy": next(s.id for s in read.strategies.values() if s.name == "keys"),
        "credential": read.credentials[digest(KEY)].id,
        "application": read.credentials[digest(KEY)].application_id,
    }
    assert ids == {
        "api": "ee743296-5ea8-5b6c-9a78-89746785ad30",
        "strategy": "4476550b-90ed-51b4-9e42-35f01f6d89fe",
        "application": "ac3131e1-56e7-5728-92a6-f5d4f8a25bfe",
        "credential": "1cd98201-61f4-55ea-9bad-efc74e3f403c",
    }


def test_everything_can_be_stored() -> None:
    assert sum(len(batch) for batch in in_batches(diff(Contents(), contents(document())))) == 11


def _shuffled(draw: st.DrawFn, value: object) -> object:
    if isinstance(value, list):
        return draw(st.permutations([_shuffled(draw, item) for item in value]))
    if isinstance(value, dict):
        return dict(draw(st.permutations([(key, _shuffled(draw, item)) for key, item in value.items()])))
    return value


@st.composite
def reordered(draw: st.DrawFn) -> dict[str, object]:
    changed = document()
    names = changed["auth_strategies"][1]["configs"]["key-auth"].pop("key_names")  # type: ignore[index]
    mixed: dict[str, object] = _shuffled(draw, changed)  # type: ignore[assignment]
    for strategy in mixed["auth_strategies"]:  # type: ignore[attr-defined]
        if strategy["name"] == "others":
            strategy["configs"]["key-auth"]["key_names"] = names
    return mixed


def _without_order(read: Contents) -> Contents:
    def by_portal(acceptance: Acceptance) -> str:
        return acceptance.portal_id

    return msgspec.structs.replace(
        read,
        apis={
            api_id: msgspec.structs.replace(api, accepts=tuple(sorted(api.accepts, key=by_portal)))
            for api_id, api in read.apis.items()
        },
    )


@settings(max_examples=50, deadline=None)
@given(reordered())
def test_the_order_of_the_file_changes_no_id_and_no_record(mixed: dict[str, object]) -> None:
    assert _without_order(contents(mixed)) == _without_order(contents(document()))


def test_other_entries_change_no_id() -> None:
    alone, crowded = document(), document()
    portal(crowded)["applications"].insert(0, {"name": "new", "developer": "alice"})  # type: ignore[attr-defined]
    portal(crowded)["id"] = "0d9c2a4e-6f0b-4a43-8f4e-0d1d6b7a3c11"
    assert contents(crowded).credentials == contents(alone).credentials


_WORDS = [
    *("_format_version", "region", "auth_strategies", "apis", "portals", "publications", "developers", "teams"),
    *("applications", "registrations", "credentials", "name", "id", "status", "key", "key_sha256", "expires_at"),
    *("strategy_type", "configs", "key-auth", "key_names", "implementations", "service", "slug", "api", "developer"),
    *("1.0", "eu", "key_auth", "approved", "active", KEY, "ab" * 32, SERVICE, "2027-01-01T00:00:00Z", "null", "yes"),
    *("&a", "*a", "<<", "!x", "---", "...", "- ", "? ", ": ", "{", "}", "[", "]", ",", "|", ">", '"', "'", "#", "%"),
    *("\n", "\n  ", "\n    ", "\n      - ", "\t", "\x00", "\ufeff", "\u2028", "é", '"\\ud800"', "\U0010ffff"),
]
_LEAVES = st.sampled_from(_WORDS) | st.text(max_size=20) | st.none() | st.booleans() | st.integers() | st.floats()
_TREES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(_WORDS[:27]), inner, max_size=6),
    max_leaves=40,
)


def _is_an_answer(data: bytes) -> None:
    answer = parse(data, "apps.yaml", "eu")
    if isinstance(answer, Refusal):
        assert answer.complaints
        for complaint in answer.complaints:
            assert complaint.line >= 1
            assert complaint.column >= 1
            assert str(complaint).isprintable()
    else:
        assert isinstance(answer, Contents)
        list(in_batches(diff(Contents(), answer)))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=200) | st.lists(st.sampled_from(_WORDS), max_size=60).map(lambda words: "".join(words).encode())
)
def test_garbage_is_refused_with_complaints_and_raises_nothing(data: bytes) -> None:
    _is_an_answer(data)


@settings(max_examples=300, deadline=None)
@given(st.fixed_dictionaries({"apis": _TREES, "auth_strategies": _TREES, "portals": _TREES}))
def test_yaml_of_wrong_shapes_is_refused_with_complaints_and_raises_nothing(tree: dict[str, object]) -> None:
    _is_an_answer(yaml.safe_dump({"_format_version": "1.0", "region": "eu", **tree}).encode())


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_good_file_with_a_piece_replaced_raises_nothing(data: st.DataObject) -> None:
    text = yaml.safe_dump({"_format_version": "1.0", "region": "eu", **document()}, sort_keys=False)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    _is_an_answer((text[:start] + data.draw(st.sampled_from(_WORDS)) + text[end:]).encode())
