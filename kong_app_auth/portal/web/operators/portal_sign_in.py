"""`/operator/portals/{id}/sign-in`: how developers of a portal sign in, and which groups mean which teams."""

from typing import Any, Final

from fastapi import Response
from sqlalchemy import func, select

from kong_app_auth.portal.api.cookies import ATTEMPT_PATH
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.authentication import CreateMapping, UpdateSettings
from kong_app_auth.portal.mail.links import portal_url
from kong_app_auth.portal.services import authentication_settings, team_group_mappings
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.developers import Developer, DeveloperIdentity
from kong_app_auth.portal.store.portals import Portal, TeamGroupMapping
from kong_app_auth.portal.store.teams import Team
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of
from kong_app_auth.portal.web.operators.lines import by_field, lines_of, written
from kong_app_auth.portal.web.operators.saying_first import say_first
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import Words, words

routes = router("/operator/portals/{portal_id}/sign-in", "Pages")

WAYS: Final = ("basic_auth_enabled", "oidc_auth_enabled", "idp_mapping_enabled")
_CLAIMS: Final = ("name", "email", "groups")
_PROVIDER: Final = ("oidc_issuer", "oidc_client_id", "oidc_client_secret", "oidc_scopes")
_FIELDS: Final = (*WAYS, *_PROVIDER, *(f"claim_{one}" for one in _CLAIMS), "team_id", "group")
_PREFIXES: Final = ("oidc_claim_mappings.",)


@routes.get("", response_class=Response)
def show(access: OperatorWriter, portal_id: str) -> Response:
    """Show how it is."""
    return _page(access, portal_id, Form(), {})


@routes.post("", response_class=Response)
def change_ways(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Open or close a way to sign in; what that does is said first."""
    values = {name: form.flag(name) for name in WAYS}
    step = form.text("step")
    if step == "again":
        return _page(access, portal_id, form, {})
    try:
        wanted = checked(UpdateSettings, values)
        with access.read() as tx:
            portal = the_portal(tx, portal_id)
            told = _effects(tx, portal, values)
        if told and step != "save":
            return say_first(access, portal, form, told, "/sign-in")
        with access.write() as tx:
            authentication_settings.update(tx, portal_id, wanted)
    except WRONG as wrong:
        return _page(access, portal_id, form, by_field(errors_of(wrong), _FIELDS), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}/sign-in", "saved")


@routes.post("/provider", response_class=Response)
def change_provider(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Say which identity provider it is; what another one does is said first. A secret not typed stays as it is."""
    if form.text("step") == "again":
        return _page(access, portal_id, form, {})
    claims = {one: form.text(f"claim_{one}") for one in _CLAIMS if form.text(f"claim_{one}")}
    values: dict[str, Any] = {
        "oidc_issuer": form.text("oidc_issuer"),
        "oidc_client_id": form.text("oidc_client_id"),
        "oidc_scopes": lines_of(form.text("oidc_scopes")),
        "oidc_claim_mappings": claims,
    }
    if form.secret("oidc_client_secret"):
        values["oidc_client_secret"] = form.secret("oidc_client_secret")
    try:
        wanted = checked(UpdateSettings, values)
        with access.read() as tx:
            portal = the_portal(tx, portal_id)
            told = _effects_of_provider(tx, portal, values)
        if told and form.text("step") != "save":
            typed = "oidc_client_secret" if "oidc_client_secret" in values else None
            return say_first(access, portal, form, told, "/sign-in/provider", secret=typed)
        with access.write() as tx:
            authentication_settings.update(tx, portal_id, wanted)
    except WRONG as wrong:
        return _page(access, portal_id, form, by_field(errors_of(wrong), _FIELDS, _PREFIXES), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}/sign-in", "saved")


@routes.post("/groups", response_class=Response)
def add_group(access: OperatorWriter, form: OperatorForm, portal_id: str) -> Response:
    """Let members of a group at the provider be members of a team."""
    try:
        wanted = checked(CreateMapping, {"team_id": form.text("team_id"), "group": form.text("group")})
        with access.write() as tx:
            provider = team_group_mappings.current_provider(tx, portal_id)
            team_group_mappings.create(tx, portal_id, provider.id, wanted)
    except WRONG as wrong:
        return _page(access, portal_id, form, by_field(errors_of(wrong, field="group"), _FIELDS), 422)
    return see_other(access.request, f"/operator/portals/{portal_id}/sign-in", "saved")


@routes.post("/groups/{mapping_id}/remove", response_class=Response)
def remove_group(access: OperatorWriter, form: OperatorForm, portal_id: str, mapping_id: str) -> Response:  # noqa: ARG001
    """Let a group mean a team no more."""
    with access.write() as tx:
        provider = team_group_mappings.current_provider(tx, portal_id)
        team_group_mappings.delete(tx, portal_id, provider.id, mapping_id)
    return see_other(access.request, f"/operator/portals/{portal_id}/sign-in", "saved")


def _effects(tx: Transaction, portal: Portal, wanted: dict[str, bool]) -> list[Words]:
    """Say in words what a change does; nothing changes: nothing."""
    known = portal.authentication
    told: list[Words] = []
    if wanted["basic_auth_enabled"] != known.basic_auth_enabled:
        if wanted["basic_auth_enabled"]:
            told.append(words("Developers can sign up and sign in with a password."))
        else:
            ids = select(DeveloperIdentity.developer_id).where(DeveloperIdentity.portal_id == portal.id)
            alone = select(func.count()).where(Developer.portal_id == portal.id, Developer.id.not_in(ids))
            told.append(
                words(
                    "Nobody signs in with a password any more, and nobody signs up with one. Developers who have never "
                    "signed in at the identity provider (%(count)s) get in only if it knows their address.",
                    count=tx.session.scalar(alone) or 0,
                )
            )
    if wanted["oidc_auth_enabled"] != known.oidc_auth_enabled:
        told.append(
            words(
                "Whoever can sign in at the identity provider has an account here from then on; whether it waits for "
                "an operator is the portal's setting. Who leaves the provider cannot sign in again, but keys go on "
                "working."
            )
            if wanted["oidc_auth_enabled"]
            else words("Nobody signs in at the identity provider any more. Who has no password can set one by mail.")
        )
    if wanted["idp_mapping_enabled"] != known.idp_mapping_enabled:
        told.append(
            words(
                "At each sign-in, the provider's groups say whether a developer is in the teams that they mean: "
                "members who are in no such group leave the team. Other teams stay as operators have them."
            )
            if wanted["idp_mapping_enabled"]
            else words(
                "Groups at the provider mean nothing any more: who is in a team stays, until an operator changes it."
            )
        )
    return told


def _effects_of_provider(tx: Transaction, portal: Portal, wanted: dict[str, Any]) -> list[Words]:
    """Say in words what another provider, or another client at it, does; nothing where there was none before."""
    known = authentication_settings.oidc_provider(tx, portal)
    if known is None:
        return []
    told: list[Words] = []
    before, issuer = known.config.get("issuer_url"), wanted["oidc_issuer"]
    if issuer != before:
        ids = select(DeveloperIdentity.developer_id).where(
            DeveloperIdentity.portal_id == portal.id, DeveloperIdentity.issuer == before
        )
        count = tx.session.scalar(select(func.count()).where(Developer.id.in_(ids))) or 0
        told.append(
            words(
                "Developers sign in at %(issuer)s from then on. Those who have signed in at %(before)s (%(count)s) are "
                "known again by their address, where the new provider says that it is verified; the others are not let "
                "in. Whoever is signed in stays so.",
                issuer=issuer,
                before=before or "",
                count=count,
            )
        )
        if known.secret is not None and "oidc_client_secret" not in wanted:
            told.append(words("The client secret that is kept was the old provider's, and is sent to the new one."))
    if wanted["oidc_client_id"] != known.config.get("client_id"):
        told.append(
            words(
                "Sign-ins go through the client %(client)s from then on: it must be registered with this portal's "
                "redirect URI, or nobody gets in.",
                client=wanted["oidc_client_id"],
            )
        )
    return told


def _page(access: OperatorWriter, portal_id: str, form: Form, errors: dict[str, str], status: int = 200) -> Response:
    with access.read() as tx:
        portal = the_portal(tx, portal_id)
        provider = authentication_settings.oidc_provider(tx, portal)
        config: dict[str, Any] = {} if provider is None else provider.config
        groups = None
        if provider is not None:
            mapped = team_group_mappings.mappings_of_provider(tx, portal_id, provider.id)
            groups = tx.session.scalars(mapped.order_by(TeamGroupMapping.group, TeamGroupMapping.id)).all()
        teams = tx.session.scalars(select(Team).where(Team.portal_id == portal.id).order_by(Team.name)).all()
        known = portal.authentication
        ways = {name: bool(getattr(known, name)) for name in WAYS}
    sent = "oidc_issuer" in form
    if "step" in form and not sent:
        ways = {name: form.flag(name) for name in WAYS}
    claims: dict[str, str] = config.get("claim_mappings") or {}
    shown: dict[str, str] = {
        "oidc_issuer": config.get("issuer_url", ""),
        "oidc_client_id": config.get("client_id", ""),
        "oidc_scopes": written(config.get("scopes") or ("openid", "profile", "email")),
        **{f"claim_{one}": claims.get(one, one) for one in _CLAIMS},
    }
    return render(
        access,
        site_of(access),
        "operators/portal_sign_in.html",
        status,
        portal=portal,
        provider=provider,
        groups=groups,
        teams=[(one.id, one.name) for one in teams],
        ways=ways,
        typed={name: form.text(name) if sent else value for name, value in shown.items()},
        form=form,
        callback=f"{portal_url(access.plane.configuration, portal)}{ATTEMPT_PATH}/callback",
        errors=errors,
    )
