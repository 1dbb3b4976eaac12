"""Addresses in mails. They come from the settings and the portal, never from what a request says its host is.

A token stands behind the `#`: browsers keep that part to themselves, so no server, proxy or log ever sees it.
"""

from urllib.parse import quote, urlsplit

from kong_app_auth.portal.configuration import Configuration
from kong_app_auth.portal.store.portals import Portal


def portal_url(configuration: Configuration, portal: Portal) -> str:
    """Where the portal is found by developers, without a slash at the end."""
    if portal.custom_domain is not None:
        return f"{urlsplit(configuration.public_url).scheme}://{portal.custom_domain}"
    return f"{configuration.public_url}/p/{portal.slug}"


def confirm_email_url(configuration: Configuration, portal: Portal, token: str) -> str:
    """Where a developer confirms the address."""
    return f"{portal_url(configuration, portal)}/verify-email#token={quote(token, safe='')}"


def set_password_url(configuration: Configuration, portal: Portal, token: str) -> str:
    """Where a developer sets a password."""
    return f"{portal_url(configuration, portal)}/reset-password#token={quote(token, safe='')}"


def application_url(configuration: Configuration, portal: Portal, application_id: str) -> str:
    """Where a developer finds an application."""
    return f"{portal_url(configuration, portal)}/applications/{application_id}"
