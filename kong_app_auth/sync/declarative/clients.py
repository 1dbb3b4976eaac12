"""Reading the `client_id` of an application: its OAuth clients at the identity provider, one or several."""

from kong_app_auth.domain.openid_connect import is_client_id
from kong_app_auth.domain.records import Client, Strategy, StrategyType, client_key
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.reading import Reading

MOST_CLIENTS = 20
"""OAuth clients an application."""


def read_clients(application: Fields, application_id: str, strategy: Strategy, reading: Reading) -> None:
    """Read an application's OAuth clients into the contents; the application itself stands for the credential.

    One without clients is no mistake: taking the last one away must shut it out, and a refused file would not. A client
    id is never shown, for a secret may have been put in its place.
    """
    if strategy.type is StrategyType.KEY_AUTH:
        if application.has("client_id"):
            application.complain("client_id", "is for applications whose auth strategy is openid_connect")
        return
    if application.has("credentials"):
        application.complain("credentials", "are API keys, and the application's auth strategy takes tokens")
    client_ids = application.text_or_texts("client_id")
    in_list = application.is_list("client_id")
    for number, client_id in enumerate(client_ids or ()):
        entry = number if in_list else None
        if number == MOST_CLIENTS:
            application.complain("client_id", f"an application has at most {MOST_CLIENTS} clients")
        key = client_key(strategy.id, client_id)
        if not is_client_id(client_id):
            application.complain("client_id", "must be 1 to 255 characters of visible ASCII", entry=entry)
        elif reading.once("client of this auth strategy", key, application, "client_id", entry):
            reading.contents.clients[key] = Client(key, application_id, application_id)
