"""`/operator/region`: how the region is, what was refused and why, and why a request was refused."""

from datetime import timedelta
from typing import Final

from fastapi import Request, Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.errors import NotFound
from kong_app_auth.portal.services import kong_gateways, refusals, region_health
from kong_app_auth.portal.views.refusals import WORDS, refusal_view
from kong_app_auth.portal.web.charts import Bar, chart
from kong_app_auth.portal.web.operators.lists import asked
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import OperatorReader
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words
from kong_app_auth.reports.records import MAX_AGE

routes = router("/operator/region", "Pages")

SILENT_AFTER: Final = timedelta(minutes=3)
"""A daemon that manages Kongs speaks every minute; one that missed three is silent."""
MOST_SERVICES: Final = 50
MAX_ID: Final = 100
WORDS_OF_REASONS: Final = {reason.code: words for reason, words in WORDS.items()}
KONG_ERRORS: Final = {
    "control_plane_error_no_response": words("Its Admin API does not answer."),
    "control_plane_error_invalid_response": words("Its Admin API answers what the daemon cannot read."),
    "control_plane_error_unavailable": words("Its Admin API says that it is unavailable."),
    "control_plane_error_internal_error": words("Its Admin API failed."),
    "control_plane_error_bad_request": words("Its Admin API refuses the daemon: look at the token and the address."),
    "control_plane_error_plugin_conflict": words("Another plugin of this name is there that the daemon did not make."),
    "control_plane_error_data_constraint_error": words("It cannot keep what the daemon wants there."),
    "control_plane_error_implementation_not_found": words(
        "It does not have a Gateway Service that an API is linked to."
    ),
}


@routes.get("", response_class=Response)
def show(access: OperatorReader, request: Request) -> Response:
    """Show the region; with `request_id`, also why that request was refused."""
    wanted = asked(request, "request_id")["request_id"][:MAX_ID]
    found, problem = None, None
    with access.read() as tx:
        region = tx.region
        now = tx.now
        progress = region_health.progress(tx)
        gateways = kong_gateways.gateways(tx)
        states = kong_gateways.counted_states(tx)
        wrong = kong_gateways.not_enforced(tx)
        refused = region_health.refused(tx)
        days = region_health.by_day(tx)
        nodes = [(one, region_health.state_of(one, now)) for one in region_health.nodes(tx)]
        if wanted:
            try:
                found = refusal_view(refusals.in_region(tx, wanted))
            except NotFound as missing:
                problem = f"{missing.detail}. Look whether the id is whole."
    spoken = [*(one.reported_at for one in gateways), *(one.reported_at for one, _ in nodes)]
    heard = max((one for one in (progress.heard_at, *spoken) if one), default=None)
    return render(
        access,
        site_of(access),
        "operators/region.html",
        live=True,
        region=region,
        progress=progress,
        heard=heard,
        gateways=[(one, now - one.reported_at > SILENT_AFTER) for one in gateways],
        nodes=[(one, state.value) for one, state in nodes],
        forever=MAX_AGE,
        kong_errors=KONG_ERRORS,
        states=states,
        wrong=wrong[:MOST_SERVICES],
        left_out=max(0, len(wrong) - MOST_SERVICES),
        refused=[(one, *WORDS_OF_REASONS.get(one.reason, ("", ""))) for one in refused],
        chart=chart([Bar(one.day, one.allowed, one.refused) for one in days]),
        request_id=wanted,
        found=found,
        errors={"request_id": problem} if problem else {},
    )
