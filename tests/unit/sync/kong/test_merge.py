"""Our plugins in the operator's configuration: their bytes stay, and it means what it meant with ours beside it."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kong_app_auth.domain.kong_ids import deterministic_id
from kong_app_auth.sync.kong.entities import APP_AUTH
from kong_app_auth.sync.kong.merge import CannotMerge, merged, read_declared
from kong_app_auth.sync.kong.plan import Policy

POLICY = Policy("eu", {"realm": 'a "realm"'})
WEATHER = deterministic_id("services", "weather")
SERVICE = "services:\n- name: weather\n  url: http://127.0.0.1:1\n"

FORMS = {
    "no plugins": f"_format_version: '3.0'\n{SERVICE}",
    "no line break at the end": f"_format_version: '3.0'\n{SERVICE}".rstrip(),
    "comments around": f"# before\n_format_version: '3.0' # here\n{SERVICE}\n\n# after",
    "windows": f"_format_version: '3.0'\n{SERVICE}".replace("\n", "\r\n"),
    "document marks": f"---\n_format_version: '3.0'\n{SERVICE}...\n",
    "plugins in the middle": f"plugins:\n- name: cors\n  service: weather\n{SERVICE}",
    "indented plugins": f"{SERVICE}plugins:\n    # ours\n    - name: cors\n    - {{name: acl}}\n",
    "empty plugins": f"plugins:\n{SERVICE}",
    "empty list": f"plugins: []\n{SERVICE}",
    "list in a line": f"plugins: [{{name: cors}}, {{name: acl}}]\n{SERVICE}",
    "list over lines": f"plugins: [\n  {{name: cors}},\n]\n{SERVICE}",
    "json": json.dumps({"services": [{"name": "weather", "host": "h"}]}),
    "json with plugins": json.dumps({"plugins": [{"name": "cors"}], "services": [{"name": "weather", "host": "h"}]}),
    "a line of flow": "{services: [{name: weather, host: h}]}",
    "indented as a whole": "  _format_version: '3.0'\n  services:\n  - {name: weather, host: h}\n",
    "a block scalar at the end": f"{SERVICE}consumers:\n- username: a\n  custom_id: |+\n    text\n\n\n",
    "anchors": f"x-defaults: &d {{retries: 2}}\n{SERVICE}  <<: *d\n",
    "beyond ascii": f"# größer 🙂\n{SERVICE}consumers: [{{username: zoë}}]\nplugins:\n- name: cors\n",
    "dash alone": f"{SERVICE}plugins:\n-\n  name: cors\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_of_yaml(form: str) -> None:
    text = FORMS[form]
    declared = read_declared(text.encode())
    assert dict(declared.services) == {WEATHER: "weather"}
    plugin = POLICY.plugin(WEATHER)
    found = merged(declared, [plugin])
    before, after = yaml.safe_load(text), yaml.safe_load(found)
    first, *theirs = after["plugins"]
    assert (first["id"], first["service"], first["config"]) == (plugin.id, "weather", plugin.config)
    assert theirs == (before.get("plugins") or [])
    assert {**after, "plugins": None} == {**before, "plugins": None}
    # Theirs is what is left when the inserted text is taken out.
    start = next(i for i in range(len(found)) if i >= len(text) or found[i] != text[i])
    length = len(found) - len(text)
    assert any(found[:at] + found[at + length :] == text for at in range(start + 1))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "a: [",
        "services: 1\n--- \nservices: 2\n",
        f"plugins: null\n{SERVICE}",
        f"plugins: text\n{SERVICE}",
        f"plugins: {{a: b}}\n{SERVICE}",
        f"x: &p [{{name: cors}}]\nplugins: *p\n{SERVICE}",
        f"plugins: &p\n- name: cors\nx: *p\n{SERVICE}",
        f"plugins: !!seq\n- name: cors\n{SERVICE}",
        "\ufeff" + SERVICE,
        f"{SERVICE}x: 2001-99-99\n",
    ],
)
def test_what_cannot_be_completed_is_refused(text: str) -> None:
    with pytest.raises(CannotMerge) as refused:
        merged(read_declared(text.encode()), [POLICY.plugin(WEATHER)])
    assert "cors" not in str(refused.value)


def test_no_utf_8_is_refused() -> None:
    with pytest.raises(CannotMerge):
        read_declared(b"\xff")


def test_without_plugins_of_ours_it_is_the_operators_text() -> None:
    assert merged(read_declared(SERVICE.encode()), []) == SERVICE


def test_services_by_id_and_who_carries_what() -> None:
    given_id = "11111111-2222-4333-8444-555555555555"
    declared = read_declared(
        f"""
services:
- {{id: {given_id}, host: h, plugins: [{{name: app-auth, id: a}}]}}
- {{name: weather, host: h}}
- {{name: maps, host: h, id: 22222222-2222-4333-8444-555555555555}}
plugins:
- {{name: app-auth, service: weather, route: r}}
- {{name: app-auth, service: {{name: maps}}}}
- {{name: app-auth}}
""".encode()
    )
    maps = "22222222-2222-4333-8444-555555555555"
    assert dict(declared.services) == {given_id: given_id, WEATHER: "weather", maps: "maps"}
    assert declared.carry(APP_AUTH) == {given_id, maps}
    assert declared.taken == {"a"}


names = st.sampled_from(["a", "b", "zoë", "x y", "#", "- -", "'", '"', "\\", "plugins"])
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), names, st.text("ab :#-{}[]\n\"'|>", max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)


@settings(max_examples=50)
@given(
    extra=st.dictionaries(names.filter(lambda name: name != "plugins"), values, max_size=4),
    plugins=st.none() | st.lists(st.fixed_dictionaries({"name": st.just("cors"), "config": values}), max_size=2),
    flow=st.sampled_from([True, False, None]),
    indent=st.integers(2, 5),
)
def test_any_document_keeps_its_meaning(extra: object, plugins: object, flow: bool | None, indent: int) -> None:
    document = {**extra, "services": [{"name": "weather", "host": "h"}]}  # type: ignore[dict-item]
    if plugins is not None:
        document["plugins"] = plugins
    text = yaml.safe_dump(document, default_flow_style=flow, indent=indent, allow_unicode=True, sort_keys=False)
    found = merged(read_declared(text.encode()), [POLICY.plugin(WEATHER), POLICY.block(WEATHER)])
    after = yaml.safe_load(found)
    assert [one["name"] for one in after["plugins"][:2]] == ["app-auth", "request-termination"]
    assert after.pop("plugins")[2:] == (document.pop("plugins", None) or [])
    assert after == document
