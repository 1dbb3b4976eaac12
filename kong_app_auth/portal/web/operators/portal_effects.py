"""What a change of a portal's security settings does, in words: an operator reads it before it is saved."""

from collections.abc import Mapping
from typing import Any, Final

from kong_app_auth.portal.services.portal_figures import Figures
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.web.words import Words, words

SWITCHES: Final = (
    "authentication_enabled",
    "rbac_enabled",
    "auto_approve_developers",
    "auto_approve_applications",
    "notifications_developer_pii_visibility_enabled",
)
"""The settings that are on or off."""


def effects(portal: Portal, wanted: Mapping[str, Any], figures: Figures, strategies: Mapping[str, str]) -> list[Words]:
    """Give a sentence for each security setting that changes; none for names and texts.

    `strategies`: names by id.
    """
    changes = [name for name in SWITCHES if wanted[name] != getattr(portal, name)]
    told = [_switched(name, bool(wanted[name]), figures) for name in changes]
    visibility = wanted["default_api_visibility"]
    if visibility != portal.default_api_visibility:
        told.append(
            words(
                "APIs that are published from now on are seen by everybody, unless it is said otherwise. Those that "
                "are there already stay as they are."
            )
            if visibility == "public"
            else words(
                "APIs that are published from now on are seen only by developers who are signed in, unless it is said "
                "otherwise. Those that are there already stay as they are."
            )
        )
    strategy = wanted["default_application_auth_strategy_id"]
    if strategy != portal.default_application_auth_strategy_id:
        told.append(_default_strategy(None if strategy is None else strategies.get(strategy, strategy)))
    return told


def _switched(name: str, on: bool, figures: Figures) -> Words:
    match name, on:
        case "authentication_enabled", True:
            return words("Developers can sign up and sign in at this portal.")
        case "authentication_enabled", False:
            return words(
                "Nobody can sign up or sign in any more, and whoever is signed in is so no longer (developers of this "
                "portal: %(developers)s). What they have stays: their keys and clients go on working at the gateway. "
                "To end that, revoke them.",
                developers=figures.developers,
            )
        case "rbac_enabled", True:
            return words(
                "What developers see and use depends on the roles of their teams from now on. Who has no role sees "
                "none of the private APIs (%(private)s of %(apis)s) and can register with none. Registrations that "
                "exist stay as they are.",
                private=figures.private_apis,
                apis=figures.apis,
            )
        case "rbac_enabled", False:
            return words(
                "Roles of teams count no more: every developer of this portal (%(developers)s) sees all of its APIs, "
                "the private ones too (%(private)s), and may register with them.",
                developers=figures.developers,
                private=figures.private_apis,
            )
        case "auto_approve_developers", True:
            return words(
                "Whoever confirms an e-mail address is a developer at once, and nobody looks. Those who wait already "
                "(%(waiting)s) go on waiting for you.",
                waiting=figures.developers_waiting,
            )
        case "auto_approve_developers", False:
            return words("New developers wait until an operator approves them. Those who are approved stay so.")
        case "auto_approve_applications", True:
            return words(
                "Whoever registers an application with an API may call that API a second later, and nobody looks. "
                "Registrations that wait already (%(waiting)s) go on waiting for you.",
                waiting=figures.registrations_waiting,
            )
        case "auto_approve_applications", False:
            return words(
                "New registrations wait until an operator approves them, except where an API's publication approves by "
                "itself. Those that are approved stay so."
            )
        case _, True:
            return words("Mails to operators name the developer whom they are about, with the e-mail address.")
        case _:
            return words(
                "Mails to operators do not say any more which developer they are about; the portal's pages do."
            )


def _default_strategy(name: str | None) -> Words:
    if name is None:
        return words(
            "APIs that are published from now on have no auth strategy, unless one is named: the gateway lets "
            "everybody in. Those that are there already keep theirs."
        )
    return words(
        "APIs that are published from now on take %(strategy)s, unless another is named. Those that are there already "
        "keep theirs.",
        strategy=name,
    )
