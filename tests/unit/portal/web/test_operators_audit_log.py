"""The audit log's page: filters, what differs, and files."""

import csv
import io
import json

import pytest

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.store.audit import AuditEntry
from kong_app_auth.portal.web.operators import audit_log
from tests.control_plane.settings import REGION
from tests.unit.portal.web.browser import Browser
from tests.unit.portal.web.people import People

LOG = "/operator/audit-log"
BODY = {"name": "=HYPERLINK(1)", "version": "v9"}


@pytest.fixture
def api(people: People) -> str:
    """An API that was made, changed and deleted."""
    operator = people.clients.operator()
    api: str = operator.post("/v3/apis", BODY)["id"]
    operator.patch(f"/v3/apis/{api}", {"name": "@SUM(1)"})
    operator.delete(f"/v3/apis/{api}")
    return api


def _rows(browser: Browser, query: str) -> list[dict[str, str]]:
    response = browser.http.get(f"{LOG}/export.csv?{query}")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(response.text)))


def test_what_somebody_did_is_told_in_words(people: People, api: str) -> None:
    page = people.operator().get(f"{LOG}?record={api}")
    assert "3 entries" in page.words
    deleted, changed, made = (page.words.index(f"{word} api {api}") for word in ("deleted", "changed", "made"))
    assert deleted < changed < made
    assert "was =HYPERLINK(1) → is @SUM(1)" in page.words
    assert "test write" in page.words


@pytest.mark.parametrize(
    ("query", "actions"),
    [
        ("action=update", ["update"]),
        ("action=CREATE&kind=api", ["create"]),
        ("kind=portal", []),
        ("actor=test%20wri", ["create", "update", "delete"]),
        ("actor=operator", ["create", "update", "delete"]),
        ("actor=nobody", []),
        ("since=2026-11-23&until=2026-11-23", ["create", "update", "delete"]),
        ("since=2026-11-24", []),
        ("until=2026-11-22", []),
        ("request=none", []),
    ],
    ids=range(10),
)
def test_it_is_narrowed_down_and_so_is_the_file(people: People, api: str, query: str, actions: list[str]) -> None:
    operator = people.operator()
    assert [row["action"] for row in _rows(operator, f"record={api}&{query}")] == actions
    page = operator.get(f"{LOG}?record={api}&{query}")
    assert ("/operator/audit-log/export.csv?" in "".join(page.links)) == bool(actions)
    assert ("Nothing found" in page.words) == (not actions)


def test_files_hold_what_the_page_holds_and_no_formula(people: People, api: str) -> None:
    operator = people.operator()
    made = _rows(operator, f"record={api}&action=create")[0]
    assert json.loads(made["after"])["name"] == "=HYPERLINK(1)"
    response = operator.http.get(f"{LOG}/export.ndjson?record={api}")
    assert response.headers["content-disposition"] == f'attachment; filename="audit-log-{REGION}.ndjson"'
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert [json.loads(line)["action"] for line in response.text.splitlines()] == ["create", "update", "delete"]

    dangerous = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"]
    with people.clients.plane.write(System(REGION)) as tx:
        for text in dangerous:
            tx.session.add(
                AuditEntry(
                    at=tx.now,
                    region=REGION,
                    actor_type="developer",
                    actor_name=text,
                    action="odd",
                    entity_type="developer",
                    request_id="odd",
                )
            )
    assert [row["actor_name"] for row in _rows(operator, "request=odd")] == [f"'{text}" for text in dangerous]


def test_a_file_that_is_too_long_is_refused(people: People, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "MOST_EXPORTED", 2)
    operator = people.operator()
    page = operator.get(f"{LOG}/export.csv?record={api}", expect=422)
    assert "at most 2" in page.words
    assert len(_rows(operator, f"record={api}&action=create")) == 1


def test_a_batch_follows_the_other(people: People, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_log, "BATCH", 2)
    assert [row["action"] for row in _rows(people.operator(), f"record={api}")] == ["create", "update", "delete"]


@pytest.mark.parametrize("day", ["tomorrow", "2026-02-30", "0001-01-01", "9999-12-31", "2026-W01-1"[:4]])
def test_what_is_no_day_is_told_beside_the_field(people: People, day: str) -> None:
    operator = people.operator()
    page = operator.get(f"{LOG}?until={day}", expect=422)
    assert "must be a day" in page.element("until-error")
    assert page.form(LOG).fields["until"] == day
    operator.get(f"{LOG}/export.csv?until={day}", expect=400)


def test_strangers_and_other_regions_see_nothing(people: People, api: str) -> None:
    stranger = Browser(people.clients.nobody().http)
    stranger.http.base_url = "http://portal.test"
    for path in ("", "/export.csv", "/export.ndjson"):
        response = stranger.http.get(LOG + path, follow_redirects=False)
        assert response.status_code in (303, 401), path
        assert api not in response.text
    with people.clients.plane.write(System("us")) as tx:
        tx.session.add(
            AuditEntry(at=tx.now, region="us", actor_type="system", action="far", entity_type="feed", request_id="far")
        )
    assert _rows(people.operator(), "request=far") == []
