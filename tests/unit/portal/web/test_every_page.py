"""What holds for every page, whoever looks at it. Routes are found by walking, so that none is forgotten."""

import gzip
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from kong_app_auth.portal.web.rendering import POLICY
from kong_app_auth.portal.web.static_files import static_files
from tests.unit.portal.web.browser import XHTML, Browser, Page
from tests.unit.portal.web.people import ROUTES, People, of_operators

PAGES = [path for method, path in ROUTES if method == "GET" and "/static/" not in path]
NO_PAGES = (
    "/apis/{api}/specifications/{specification}",
    "/appearance/colours-{colour}.css",
    "/appearance/logo-{version}",
    "/operator/audit-log/export.csv",
    "/operator/audit-log/export.ndjson",
)
MAX_WEIGHT = 100 * 1024
HEADERS = {
    "content-security-policy": POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
}


@pytest.fixture(scope="module", params=["developers", "operators"])
def pages(shared: People, request: pytest.FixtureRequest) -> dict[tuple[str, str], Page]:
    """Every page, as every kind of person sees it first: by who and path. Reading them checks that they are HTML."""
    who: dict[str, Browser] = {"visitor": shared.visitor(), "developer": shared.developer()}
    if request.param == "operators":
        who = {"operator": shared.operator()}
    found: dict[tuple[str, str], Page] = {}
    for path in PAGES:
        if path in NO_PAGES:
            continue
        for name, browser in who.items():
            if of_operators(path) == (name == "operator"):
                response = browser.http.get(browser.prefix + shared.address(path), follow_redirects=False)
                if response.status_code in (302, 303):
                    continue
                found[name, path] = Page(response, 0.0)
    return found


def _texts(page: Page) -> Iterator[tuple[str, str, str]]:
    for element in page.tree.iter():
        if isinstance(element.tag, str):
            for name, value in element.attrib.items():
                yield element.tag.removeprefix(XHTML), name, value


def test_every_page_is_there_for_the_one_it_is_for(pages: dict[tuple[str, str], Page]) -> None:
    wrong = {key: page.status for key, page in pages.items() if page.status not in (200, 404)}
    assert wrong == {}
    not_there = [path for (_, path), page in pages.items() if page.status == 404]
    assert not [path for path in not_there if not of_operators(path)], not_there
    assert len(pages) > 20


def test_every_answer_has_the_headers_that_keep_others_out(pages: dict[tuple[str, str], Page]) -> None:
    for key, page in pages.items():
        told = {name: page.response.headers.get(name) for name in HEADERS}
        assert told == HEADERS, key


def test_what_somebody_sees_who_is_signed_in_is_kept_nowhere(pages: dict[tuple[str, str], Page]) -> None:
    for (name, path), page in pages.items():
        if name != "visitor":
            assert page.response.headers["cache-control"] == "no-store", path


def test_no_page_has_script_or_style_of_its_own_or_asks_anybody_else(pages: dict[tuple[str, str], Page]) -> None:
    for key, page in pages.items():
        for tag, name, value in _texts(page):
            assert name != "style", (key, tag)
            assert not name.startswith("on"), (key, tag, name)
            if name in ("src", "href", "action", "formaction", "srcset", "data", "poster"):
                assert value.startswith(("/", "#")), (key, tag, value)
                assert not value.startswith("//"), (key, tag, value)
        for element in page.tree.iter(f"{XHTML}script"):
            assert not (element.text or "").strip(), key
        assert not list(page.tree.iter(f"{XHTML}style")), key


def test_every_page_says_what_it_is_and_can_be_walked_by_keyboard_and_ear(pages: dict[tuple[str, str], Page]) -> None:
    titles: dict[str, set[str]] = {}
    for (name, path), page in pages.items():
        html = next(page.tree.iter(f"{XHTML}html"), page.tree)
        assert html.get("lang") == "en"
        assert page.heading, path
        assert len(list(page.tree.iter(f"{XHTML}h1"))) == 1, path
        titles.setdefault(name, set()).add("".join(next(page.tree.iter(f"{XHTML}title")).itertext()))
        ids = [value for _, attribute, value in _texts(page) if attribute == "id"]
        assert len(ids) == len(set(ids)), (path, sorted(one for one in ids if ids.count(one) > 1))
        labelled = {value for tag, attribute, value in _texts(page) if tag == "label" and attribute == "for"}
        for tag in ("input", "textarea", "select"):
            for element in page.tree.iter(XHTML + tag):
                if element.get("type") != "hidden":
                    assert element.get("id") in labelled, (path, element.attrib)
        pointed = [
            value for _, attribute, value in _texts(page) if attribute in ("aria-describedby", "aria-labelledby")
        ]
        for several in pointed:
            assert set(several.split()) <= set(ids), (path, several)
    assert sum(len(each) for each in titles.values()) > 3


def test_every_form_that_changes_something_has_a_token(pages: dict[tuple[str, str], Page]) -> None:
    forms = [(key, form) for key, page in pages.items() for form in page.forms if form.method == "post"]
    assert len(forms) > 10
    for key, form in forms:
        assert len(form.fields.get("form_token", "")) == 64, (key, form.action)


def test_a_first_visit_weighs_less_than_100_kb(pages: dict[tuple[str, str], Page], shared: People) -> None:
    heaviest = 0
    for key, page in pages.items():
        wanted = {
            urlsplit(value).path.rpartition("/")[2]
            for tag, name, value in _texts(page)
            if tag in ("link", "script", "img") and name in ("href", "src") and "/static/" in value
        }
        weight = len(page.response.content) + sum(len(static_files()[name].compressed) for name in wanted)
        heaviest = max(heaviest, weight)
        assert weight < MAX_WEIGHT, key
    print(f"the heaviest page weighs {heaviest / 1024:.1f} KB with its style and script")


def test_pages_take_little_time_of_the_server(shared: People) -> None:
    developer = shared.developer()
    slow: dict[str, float] = {}
    for path in PAGES:
        if not of_operators(path) and "/renew" not in path and path not in NO_PAGES:
            address = shared.address(path)
            developer.get(address)
            slow[path] = developer.get(address).seconds
    worst = max(slow, key=lambda path: slow[path])
    print(f"the slowest page of developers: {worst}, {slow[worst] * 1000:.0f} ms")


def test_static_files_are_compressed_once_and_kept_for_a_year(shared: People) -> None:
    http = shared.visitor().http
    for name, file in static_files().items():
        address = f"{shared.prefix}/static/{name}?v={file.version}"
        response = http.get(address, headers={"accept-encoding": "gzip"})
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert gzip.decompress(file.compressed) == file.plain == response.content
        assert response.headers["x-content-type-options"] == "nosniff"
        stale = http.get(f"{shared.prefix}/static/{name}?v=0")
        assert stale.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["../style_page.py", "..%2Fpages.py", "nothing.css", "%2Fetc%2Fpasswd"])
def test_nothing_else_is_a_static_file(shared: People, name: str) -> None:
    assert shared.visitor().http.get(f"{shared.prefix}/static/{name}").status_code == 404


def test_errors_of_pages_are_pages_and_errors_of_the_api_are_not(shared: People) -> None:
    visitor = shared.visitor()
    assert visitor.get("/nowhere", expect=404).heading == "This page is not here"
    assert visitor.get("/apis/not-there", expect=404).heading == "This page is not here"
    for path in ("/api/v3/nowhere", "/api/v3/apis/not-there"):
        response = visitor.http.get(shared.prefix + path)
        assert response.headers["content-type"].startswith("application/problem+json")
    strangers = shared.clients.nobody().http
    assert strangers.get("/p/no-such-portal/apis", headers={"accept": "text/html"}).status_code == 404


def test_the_own_address_of_the_control_plane_leads_to_the_operators_pages(shared: People) -> None:
    http = shared.clients.nobody().http
    http.base_url = "http://portal.test"
    response = http.get("/", headers={"accept": "text/html"}, follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (303, "/operator")


def test_operators_pages_are_not_at_a_portals_address(shared: People) -> None:
    visitor = shared.visitor()
    for method, path in ROUTES:
        if of_operators(path) and method == "GET":
            assert visitor.http.get(shared.prefix + shared.address(path)).status_code == 404, path
    by_name = shared.clients.nobody().http
    by_name.base_url = "http://" + shared.clients.operator().get("/v3/portals")["data"][0]["default_domain"]
    assert by_name.get("/operator/sign-in").status_code == 404
    assert by_name.get("/sign-in").status_code == 200


def test_no_link_of_a_page_leads_nowhere(pages: dict[tuple[str, str], Page], shared: People) -> None:
    who = {"visitor": shared.visitor(), "developer": shared.developer(), "operator": shared.operator()}
    links = {
        (name, link)
        for (name, _), page in pages.items()
        if page.status == 200
        for link in page.links
        if link.startswith("/")
    }
    statuses = {one: who[one[0]].http.get(one[1], follow_redirects=False).status_code for one in links}
    assert {one: status for one, status in statuses.items() if status not in (200, 303)} == {}
