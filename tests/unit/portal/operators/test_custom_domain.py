import pytest

from tests.control_plane.clients import Client, Clients


@pytest.fixture
def portal(operator: Client) -> str:
    return f"/v3/portals/{operator.post('/v3/portals', {'name': 'Staging'})['id']}"


def test_a_portal_gets_a_host_name_of_its_own(operator: Client, portal: str) -> None:
    operator.get(f"{portal}/custom-domain", expect=404)
    assert operator.put(f"{portal}/custom-domain", {"hostname": "Developers.Example.com"}) == {
        "hostname": "developers.example.com"
    }

    assert operator.get(f"{portal}/custom-domain") == {"hostname": "developers.example.com"}
    known = operator.get(portal)
    assert known["canonical_domain"] == "developers.example.com"
    assert known["default_domain"] != known["canonical_domain"]
    operator.put(f"{portal}/custom-domain", {"hostname": "developers.example.com"})
    operator.delete(f"{portal}/custom-domain")
    operator.delete(f"{portal}/custom-domain", expect=404)
    assert operator.get(portal)["canonical_domain"] == known["default_domain"]


def test_two_portals_have_no_host_name_in_common(clients: Clients, operator: Client, portal: str) -> None:
    operator.put(f"{portal}/custom-domain", {"hostname": "developers.example.com"})
    elsewhere = clients.operator(region="us")
    other = f"/v3/portals/{elsewhere.post('/v3/portals', {'name': 'Staging'})['id']}"

    elsewhere.put(f"{other}/custom-domain", {"hostname": "developers.example.com"}, expect=409)
    elsewhere.put(f"{portal}/custom-domain", {"hostname": "mine.example.com"}, expect=404)
    clients.operator(scope="read").put(f"{portal}/custom-domain", {"hostname": "mine.example.com"}, expect=403)


@pytest.mark.parametrize(
    "hostname",
    [
        "",
        "localhost",
        "192.0.2.1",
        "[2001:db8::1]",
        "a..example.com",
        "-a.example.com",
        "a.example.com.",
        "a.example.com:8000",
        "https://a.example.com",
        "a_b.example.com",
        "ä.example.com",
        f"{'a' * 64}.example.com",
        "a." * 127 + "example.com",
        "portal.test",
        "portal.localhost",
        "other.portal.localhost",
        None,
        1,
    ],
)
def test_what_is_no_host_name_or_the_server_s_own_is_refused(operator: Client, portal: str, hostname: object) -> None:
    problem = operator.put(f"{portal}/custom-domain", {"hostname": hostname}, expect=400)

    assert problem["invalid_parameters"][0]["field"] == "hostname"
