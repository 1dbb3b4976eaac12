"""Which groups at an identity provider mean which teams of a portal."""

from collections import defaultdict
from collections.abc import Collection, Iterable

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.authentication import CreateMapping, UpdateTeamGroups
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.services.identity_providers import the_provider
from kong_app_auth.portal.services.portals import the_portal
from kong_app_auth.portal.store.portals import IdentityProvider, TeamGroupMapping
from kong_app_auth.portal.store.teams import Team, TeamMember
from kong_app_auth.portal.transaction import Transaction


def mappings_of_provider(tx: Transaction, portal_id: str, provider_id: str) -> Select[TeamGroupMapping]:
    """Select the mappings of an identity provider. Raises NotFound."""
    provider = the_provider(tx, portal_id, provider_id)
    return select(TeamGroupMapping).where(TeamGroupMapping.identity_provider_id == provider.id)


def the_mapping(tx: Transaction, portal_id: str, provider_id: str, mapping_id: str) -> TeamGroupMapping:
    """Give a mapping of an identity provider. Raises NotFound."""
    provider = the_provider(tx, portal_id, provider_id)
    found = tx.find(TeamGroupMapping, mapping_id)
    if found is None or found.identity_provider_id != provider.id:
        raise NotFound("Team group mapping not found")
    return found


def create(tx: Transaction, portal_id: str, provider_id: str, wanted: CreateMapping) -> TeamGroupMapping:
    """Let a group mean a team. Raises NotFound, Invalid; Conflict where it does already."""
    provider = the_provider(tx, portal_id, provider_id)
    _team_of_portal(tx, provider.portal_id, wanted.team_id, "team_id")
    known = mappings_of_provider(tx, portal_id, provider_id).where(
        TeamGroupMapping.team_id == wanted.team_id, TeamGroupMapping.group == wanted.group
    )
    if tx.session.scalar(known) is not None:
        raise Conflict("This group means this team already")
    return _add(tx, provider, wanted.team_id, wanted.group)


def delete(tx: Transaction, portal_id: str, provider_id: str, mapping_id: str) -> None:
    """Let a group mean a team no more. Raises NotFound."""
    tx.session.delete(the_mapping(tx, portal_id, provider_id, mapping_id))
    tx.session.flush()


def current_provider(tx: Transaction, portal_id: str) -> IdentityProvider:
    """Give the provider that Konnect's older operations speak of: the enabled one, else OIDC before SAML.

    Raises NotFound; Invalid where the portal has none.
    """
    portal = the_portal(tx, portal_id)
    found = tx.session.scalar(
        select(IdentityProvider)
        .where(IdentityProvider.portal_id == portal.id)
        .order_by(IdentityProvider.enabled.desc(), IdentityProvider.type)
        .limit(1)
    )
    if found is None:
        raise invalid("portalId", "this portal has no identity provider yet", source="path")
    return found


def mapped_teams(provider: IdentityProvider) -> Select[Team]:
    """Select the teams that groups at a provider mean."""
    mapped = select(TeamGroupMapping.team_id).where(TeamGroupMapping.identity_provider_id == provider.id)
    return select(Team).where(Team.id.in_(mapped))


def groups_of(tx: Transaction, provider: IdentityProvider, team_ids: Iterable[str]) -> dict[str, list[str]]:
    """Give the groups that mean each of the teams, by team."""
    statement = (
        select(TeamGroupMapping.team_id, TeamGroupMapping.group)
        .where(TeamGroupMapping.identity_provider_id == provider.id, TeamGroupMapping.team_id.in_(list(team_ids)))
        .order_by(TeamGroupMapping.group)
    )
    groups: dict[str, list[str]] = defaultdict(list)
    for team_id, group in tx.session.execute(statement):
        groups[team_id].append(group)
    return groups


def replace(tx: Transaction, portal_id: str, wanted: UpdateTeamGroups) -> IdentityProvider:
    """Replace the groups of each team that is named; give the provider. Raises NotFound, Invalid."""
    provider = current_provider(tx, portal_id)
    for place, one in enumerate(wanted.data):
        team_id = _team_of_portal(tx, provider.portal_id, one.team_id, f"data.{place}.team_id")
        if "groups" not in one.model_fields_set:
            continue
        statement = select(TeamGroupMapping).where(
            TeamGroupMapping.identity_provider_id == provider.id, TeamGroupMapping.team_id == team_id
        )
        known = {mapping.group: mapping for mapping in tx.session.scalars(statement)}
        for group in known.keys() - set(one.groups):
            tx.session.delete(known[group])
        for group in dict.fromkeys(one.groups):
            if group not in known:
                _add(tx, provider, team_id, group)
        tx.session.flush()
    return provider


def apply(tx: Transaction, provider: IdentityProvider, developer_id: str, groups: Collection[str]) -> None:
    """Put a developer into the teams that these groups mean at a provider, and take out of those that others mean.

    Teams that no group means are left alone: operators say who is in them.
    """
    mapped = tx.session.execute(
        select(TeamGroupMapping.team_id, TeamGroupMapping.group).where(
            TeamGroupMapping.identity_provider_id == provider.id
        )
    ).all()
    wanted = {team_id for team_id, group in mapped if group in groups}
    statement = select(TeamMember).where(
        TeamMember.developer_id == developer_id, TeamMember.team_id.in_({team_id for team_id, _ in mapped})
    )
    members = {member.team_id: member for member in tx.session.scalars(statement)}
    for team_id in members.keys() - wanted:
        tx.session.delete(members[team_id])
    for team_id in wanted - members.keys():
        tx.session.add(TeamMember(team_id=team_id, developer_id=developer_id, created_at=tx.now))
    tx.session.flush()


def _add(tx: Transaction, provider: IdentityProvider, team_id: str, group: str) -> TeamGroupMapping:
    mapping = TeamGroupMapping(
        portal_id=provider.portal_id, identity_provider_id=provider.id, team_id=team_id, group=group
    )
    tx.session.add(mapping)
    tx.session.flush()
    return mapping


def _team_of_portal(tx: Transaction, portal_id: str, team_id: str | None, field: str) -> str:
    team = tx.find(Team, team_id)
    if team is None or team.portal_id != portal_id:
        raise invalid(field, "is no team of this portal", "missing_reference")
    return team.id
