"""A browser without a window: it keeps cookies, follows redirects, reads pages strictly and sends their forms."""

import time
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import httpx2 as httpx

XHTML = "{http://www.w3.org/1999/xhtml}"


class PageForm:
    """A form of a page: where it goes, and what its fields hold."""

    def __init__(self, element: Element, page: str) -> None:
        self.method = element.get("method", "get").lower()
        self.action = element.get("action") or page
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str]] = []
        for one in element.iter():
            name = one.get("name", "")
            match one.tag.removeprefix(XHTML):
                case "input" if one.get("type") in ("checkbox", "radio"):
                    if one.get("checked") is not None and one.get("disabled") is None:
                        self.fields[name] = one.get("value", "on")
                case "input":
                    self.fields[name] = one.get("value", "")
                case "textarea":
                    self.fields[name] = "".join(one.itertext()).removeprefix("\n")
                case "select":
                    options = list(one.iter(f"{XHTML}option"))
                    chosen = [option for option in options if option.get("selected") is not None] or options[:1]
                    self.fields[name] = chosen[0].get("value", "") if chosen else ""
                case "button" if name:
                    self.buttons.append((name, one.get("value", "")))

    @property
    def path(self) -> str:
        return urlsplit(self.action).path


class Page:
    """An answer, read by a parser that takes no error."""

    def __init__(self, response: httpx.Response, seconds: float) -> None:
        self.response = response
        self.seconds = seconds
        self.status = response.status_code
        self.text = response.text
        self.path = urlsplit(str(response.request.url)).path
        is_html = response.headers.get("content-type", "").startswith("text/html")
        self.tree: Element = html5lib.HTMLParser(strict=True).parse(response.text) if is_html else Element("nothing")

    @property
    def forms(self) -> list[PageForm]:
        return [PageForm(one, str(self.response.request.url)) for one in self.tree.iter(f"{XHTML}form")]

    def form(self, path_end: str) -> PageForm:
        found = [one for one in self.forms if one.path.endswith(path_end)]
        assert found, f"{self.path} has no form to …{path_end}: {[one.path for one in self.forms]}"
        return found[0]

    @property
    def links(self) -> list[str]:
        return [one.get("href", "") for one in self.tree.iter(f"{XHTML}a")]

    @property
    def heading(self) -> str:
        return " ".join(" ".join(one.itertext()) for one in self.tree.iter(f"{XHTML}h1")).strip()

    @property
    def words(self) -> str:
        """All that is to be read, as one line."""
        body = next(self.tree.iter(f"{XHTML}body"), self.tree)
        return " ".join("".join(body.itertext()).split())

    def element(self, element_id: str) -> str:
        found = [one for one in self.tree.iter() if one.get("id") == element_id]
        assert found, f"{self.path} has nothing with the id {element_id}: {self.words[:800]}"
        return "".join(found[0].itertext())


class Browser:
    """Opens pages below `prefix`, as one person would."""

    def __init__(self, http: httpx.Client, prefix: str = "") -> None:
        self.http = http
        self.prefix = prefix
        http.headers["accept"] = "text/html,application/xhtml+xml,*/*;q=0.8"
        http.headers["accept-encoding"] = "identity"

    def get(self, path: str, *, expect: int = 200, follow: bool = True) -> Page:
        return self._send("GET", self.prefix + path, None, expect, follow=follow)

    def post(self, path: str, fields: dict[str, Any], *, expect: int = 200, follow: bool = True) -> Page:
        return self._send("POST", self.prefix + path, fields, expect, follow=follow)

    def send(self, form: PageForm, *, expect: int = 200, follow: bool = True, **fields: Any) -> Page:
        """Send a form with some of its fields filled in. A field that the form does not have fails."""
        names = {name.replace(".", "__"): name for name in form.fields}
        wanted = {names.get(name, name): value for name, value in fields.items()}
        values = {**form.fields, **wanted}
        if form.method == "get":
            return self._send("GET", form.action.partition("?")[0], None, expect, follow=follow, params=values)
        return self._send("POST", form.action, values, expect, follow=follow)

    def _send(
        self, method: str, url: str, fields: dict[str, Any] | None, expect: int, *, follow: bool, **options: Any
    ) -> Page:
        begun = time.perf_counter()
        headers = {"sec-fetch-site": "same-origin"} if method == "POST" else {}
        response = self.http.request(method, url, data=fields, headers=headers, **options)
        seconds = time.perf_counter() - begun
        hops = 0
        while follow and response.status_code in (302, 303, 307):
            hops += 1
            assert hops < 10, "it goes round in circles"
            to = response.headers["location"]
            again = response.status_code == 307 and method == "POST"
            begun = time.perf_counter()
            response = (
                self.http.request("POST", to, data=fields, headers=headers) if again else self.http.request("GET", to)
            )
            method = "POST" if again else "GET"
            seconds = time.perf_counter() - begun
        page = Page(response, seconds)
        shown = (
            page.words[:600] if response.headers.get("content-type", "").startswith("text/html") else page.text[:600]
        )
        assert page.status == expect, f"{method} {url}: {page.status}, not {expect}: {shown}"
        return page


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))
