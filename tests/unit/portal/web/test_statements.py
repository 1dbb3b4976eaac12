"""How many SQL statements a page takes: few, and no more where there is more to show."""

import pytest

from kong_app_auth.portal.actors import System
from kong_app_auth.portal.services.built_in_strategy import built_in
from kong_app_auth.portal.store.apis import Api, Publication
from kong_app_auth.portal.store.applications import Application, Registration
from kong_app_auth.portal.store.credentials import Credential
from kong_app_auth.portal.store.developers import Developer
from kong_app_auth.portal.store.teams import Team, TeamMember
from tests.control_plane.settings import REGION
from tests.control_plane.statements import counted
from tests.unit.portal.web.people import API, ROUTES, People, of_operators

MOST = 16
"""Who asks, and what one page is made of."""
NOT_READ = ("/static/", "/renew")


def _counts(people: People, audience: str) -> dict[str, int]:
    browser = people.developer() if audience == "developers" else people.operator()
    found: dict[str, int] = {}
    for method, path in ROUTES:
        ours = of_operators(path) == (audience == "operators")
        if method == "GET" and ours and not any(one in path for one in NOT_READ):
            with counted(people.clients.plane) as statements:
                browser.http.get(browser.prefix + people.address(path))
            found[path] = len(statements)
    return found


def _more(people: People) -> None:
    """Make eight more of everything that a developer's pages list."""
    ids = {name: values[0] for name, values in people.world.ids.items()}
    portal = ids["portalId"]
    with people.clients.plane.write(System(REGION)) as tx:
        strategy = built_in(tx).id
        for number in range(8):
            api = Api(region=REGION, name=f"API {number}", slug=f"api-{number}")
            team = Team(portal_id=portal, name=f"Team {number}", can_own_applications=True)
            email = f"d{number}@example.com"
            colleague = Developer(
                portal_id=portal, email=email, email_key=email, full_name=f"D {number}", status="approved"
            )
            application = Application(
                portal_id=portal, name=f"App {number}", auth_strategy_id=strategy, developer_id=ids["developerId"]
            )
            tx.session.add_all([api, team, colleague, application])
            tx.session.flush()
            member = {"team_id": ids["teamId"], "created_at": tx.now}
            both = {"portal_id": portal, "status": "approved"}
            key = {"application_id": ids["applicationId"], "digest": f"{number:064}", "display_name": f"key {number}"}
            tx.session.add_all(
                [
                    Publication(api_id=api.id, portal_id=portal, auth_strategy_id=strategy, visibility="public"),
                    TeamMember(team_id=team.id, developer_id=ids["developerId"], created_at=tx.now),
                    TeamMember(developer_id=colleague.id, **member),
                    Registration(application_id=ids["applicationId"], api_id=api.id, **both),
                    Registration(application_id=application.id, api_id=ids["apiId"], **both),
                    Credential(region=REGION, **key),
                ]
            )


@pytest.mark.parametrize("audience", ["developers", "operators"])
def test_pages_take_few_statements_and_no_more_for_many_records(people: People, audience: str) -> None:
    people.developer().get(f"/apis/{API}")  # what is read once is read
    few = _counts(people, audience)
    assert {path: count for path, count in few.items() if count > MOST} == {}
    _more(people)
    many = _counts(people, audience)
    assert {path: (few[path], count) for path, count in many.items() if count != few[path]} == {}
    print(f"the most statements of a page: {max(few.values())}, {max(few, key=lambda path: few[path])}")
