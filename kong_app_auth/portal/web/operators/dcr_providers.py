"""`/operator/dcr-providers`: where the OAuth clients of applications are made. Secrets are taken and never shown."""

from typing import Any, Final

import msgspec
from fastapi import Request, Response

from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.dcr_providers import CreateProvider, UpdateProvider
from kong_app_auth.portal.errors import Invalid, InvalidParameter, Refused
from kong_app_auth.portal.services import dcr_providers, strategy_uses
from kong_app_auth.portal.store.strategies import DcrProvider
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of, first_time, sentence
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lines import by_field, changed, labels_of, written_labels
from kong_app_auth.portal.web.operators.lists import asked, holds, listed
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import Words, words

routes = router("/operator/dcr-providers", "Pages")

TYPES: Final = {
    "auth0": (
        words("Auth0"),
        words("A machine-to-machine application that may use the Management API makes the clients."),
    ),
    "azureAd": (
        words("Microsoft Entra ID (Azure AD)"),
        words("An application with Application.ReadWrite.OwnedBy makes the clients."),
    ),
    "curity": (words("Curity"), words("A client with the scope dcr makes the clients.")),
    "okta": (words("Okta"), words("An API token of an administrator who manages applications makes the clients.")),
    "http": (
        words("A bridge of your own (HTTP)"),
        words("The portal calls a service of yours, which makes the clients."),
    ),
    "rfc7591": (
        words("Any provider with RFC 7591"),
        words("Its registration endpoint is open, or protected by an access token."),
    ),
}
"""The types that can be made: name and what it is. Konnect's own `kongIdentity` is kept for those who import it."""


class Setting(msgspec.Struct, frozen=True):
    """How a setting is asked for."""

    label: Words
    hint: Words
    max_length: int = 256


SETTINGS: Final = {
    "initial_client_id": Setting(words("Client id"), words("Of the client by which the portal asks the provider.")),
    "initial_client_secret": Setting(words("Client secret"), words("Of that client. It is kept encrypted.")),
    "initial_client_audience": Setting(
        words("Audience"), words("Of the Management API, if it is not the tenant's usual one.")
    ),
    "use_developer_managed_scopes": Setting(
        words("Developers choose scopes"), words("Clients get the scopes that developers choose.")
    ),
    "dcr_token": Setting(words("API token"), words("It is kept encrypted.")),
    "dcr_base_url": Setting(words("Address of the bridge"), words("https://dcr.example.com")),
    "api_key": Setting(
        words("Key of the bridge"),
        words("It is sent as X-API-KEY: letters, digits and _, at least 12. It is kept encrypted."),
    ),
    "disable_event_hooks": Setting(
        words("No event hooks"), words("The bridge is not told of changes and registrations.")
    ),
    "disable_refresh_secret": Setting(words("No new secrets"), words("Developers cannot ask for another secret.")),
    "allow_multiple_credentials": Setting(
        words("Several secrets"), words("An application may have more than one secret at a time.")
    ),
    "registration_endpoint": Setting(
        words("Registration endpoint"), words("Left empty, it is read from the discovery document.")
    ),
    "initial_access_token": Setting(
        words("Initial access token"), words("Where registration is protected. Kept encrypted."), 4096
    ),
}
"""All settings of all types, by the contract's names."""
_PREFIXES: Final = ("dcr_config.",)
_FIELDS: Final = ("name", "display_name", "issuer", "labels", "provider_type", *SETTINGS)


class Asked(msgspec.Struct, frozen=True):
    """A setting of a form. `kind`: text, secret or box; `known`: there is one, so it may be left as it is."""

    name: str
    setting: Setting
    kind: str
    required: bool


@routes.get("", response_class=Response)
def list_providers(access: OperatorReader, request: Request) -> Response:
    """All providers of the region."""
    given = asked(request, "q")
    with access.read() as tx:
        statement = dcr_providers.all_providers(tx)
        if given["q"]:
            statement = statement.where(
                holds(given["q"], DcrProvider.name, DcrProvider.display_name, DcrProvider.issuer)
            )
        found = listed(request, tx, statement, DcrProvider.name, DcrProvider.id, narrowed=given)
    return render(access, site_of(access), "operators/dcr_providers.html", found=found, q=given["q"], types=TYPES)


@routes.get("/new", response_class=Response)
def show_new(access: OperatorWriter, type: str = "") -> Response:
    """Ask of which type it is, then what it needs."""
    return _form(access, None, Form({"provider_type": [type]}), {})


@routes.post("/new", response_class=Response)
def create(access: OperatorWriter, form: OperatorForm) -> Response:
    """Make it. Nothing is asked of the provider yet."""
    provider_type = form.text("provider_type")
    try:
        if provider_type not in TYPES:
            raise Invalid(InvalidParameter(field="provider_type", reason="must be one of the types"))
        values = {"provider_type": provider_type, "name": form.text("name"), "issuer": form.text("issuer")}
        if form.text("display_name"):
            values["display_name"] = form.text("display_name")
        more = {"labels": labels_of(form.text("labels")), "dcr_config": _config(form, provider_type, known=None)}
        wanted = checked(CreateProvider, {**values, **more})
        with access.write() as tx:
            if not first_time(tx, access, form):
                return see_other(access.request, "/operator/dcr-providers", "already")
            provider_id = dcr_providers.create(tx, wanted).id
    except WRONG as wrong:
        return _form(access, None, form, _errors(wrong), 422)
    return see_other(access.request, f"/operator/dcr-providers/{provider_id}", "created")


@routes.get("/{dcr_provider_id}", response_class=Response)
def show(access: OperatorReader, dcr_provider_id: str) -> Response:
    """A provider, and the strategies that use it."""
    return _page(access, dcr_provider_id)


@routes.post("/{dcr_provider_id}/verify", response_class=Response)
def verify(access: OperatorWriter, form: OperatorForm, dcr_provider_id: str) -> Response:  # noqa: ARG001  it is ours
    """Try its settings at the provider, outside of any transaction that writes; say what came of it."""
    wrong = dcr_providers.verify(access, dcr_provider_id)
    return _page(access, dcr_provider_id, tried=tuple(_told(one) for one in wrong))


@routes.get("/{dcr_provider_id}/edit", response_class=Response)
def show_edit(access: OperatorWriter, dcr_provider_id: str) -> Response:
    """Show what can be changed; never a secret."""
    with access.read() as tx:
        provider = dcr_providers.the_provider(tx, dcr_provider_id)
    given = {"name": [provider.name], "display_name": [provider.display_name or ""], "issuer": [provider.issuer]}
    given["labels"] = [written_labels(provider.labels)]
    for name, value in provider.config.items():
        given[name] = ["true" if value is True else "" if value in (None, False) else str(value)]
    return _form(access, provider, Form(given), {})


@routes.post("/{dcr_provider_id}/edit", response_class=Response)
def edit(access: OperatorWriter, form: OperatorForm, dcr_provider_id: str) -> Response:
    """Change it. A secret that is left empty stays."""
    with access.read() as tx:
        provider = dcr_providers.the_provider(tx, dcr_provider_id)
    try:
        values: dict[str, Any] = {"name": form.text("name"), "issuer": form.text("issuer")}
        if form.text("display_name") or provider.display_name:
            values["display_name"] = form.text("display_name")
        values["labels"] = changed(provider.labels, labels_of(form.text("labels")))
        values["dcr_config"] = _config(form, provider.provider_type, known=provider)
        wanted = checked(UpdateProvider, values)
        with access.write() as tx:
            dcr_providers.update(tx, dcr_provider_id, wanted)
    except WRONG as wrong:
        return _form(access, provider, form, _errors(wrong), 422)
    return see_other(access.request, f"/operator/dcr-providers/{dcr_provider_id}", "saved")


@routes.get("/{dcr_provider_id}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, dcr_provider_id: str) -> Response:
    """Ask before it is deleted."""
    return _ask(access, dcr_provider_id)


@routes.post("/{dcr_provider_id}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, dcr_provider_id: str) -> Response:  # noqa: ARG001  it is ours
    """Delete it."""
    try:
        with access.write() as tx:
            dcr_providers.delete(tx, dcr_provider_id)
    except WRONG as wrong:
        return _ask(access, dcr_provider_id, 422, errors_of(wrong))
    return see_other(access.request, "/operator/dcr-providers", "deleted")


def _ask(
    access: OperatorWriter, dcr_provider_id: str, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    with access.read() as tx:
        name = dcr_providers.the_provider(tx, dcr_provider_id).name
    effect = words("Its settings and secrets are forgotten. That can be done as long as no strategy uses it.")
    back = f"/operator/dcr-providers/{dcr_provider_id}"
    question = Question(
        title=words("Delete this DCR provider?"), name=name, effect=effect, yes=words("Yes, delete it"), back=back
    )
    return ask(access, question, status=status, errors=errors)


def _page(access: OperatorReader, dcr_provider_id: str, *, tried: tuple[str, ...] | None = None) -> Response:
    with access.read() as tx:
        provider = dcr_providers.the_provider(tx, dcr_provider_id)
        used_by = strategy_uses.of_provider(tx, provider)
    return render(
        access,
        site_of(access),
        "operators/dcr_provider.html",
        provider=provider,
        used_by=used_by,
        types=TYPES,
        settings=[(SETTINGS[one].label, value) for one, value in provider.config.items() if one in SETTINGS],
        secrets=[SETTINGS[one].label for one in sorted(dcr_providers.SHAPES[provider.provider_type].secret)],
        tried=tried,
    )


def _form(
    access: OperatorWriter, provider: DcrProvider | None, form: Form, errors: dict[str, str], status: int = 200
) -> Response:
    provider_type = form.text("provider_type") if provider is None else provider.provider_type
    return render(
        access,
        site_of(access),
        "operators/dcr_form.html",
        status,
        provider=provider,
        type=provider_type if provider_type in dcr_providers.SHAPES else "",
        types=TYPES,
        form=form,
        errors=errors,
        settings=_asked(provider_type, new=provider is None),
    )


def _asked(provider_type: str, *, new: bool) -> list[Asked]:
    shape = dcr_providers.SHAPES.get(provider_type, dcr_providers.Shape())
    found: list[Asked] = []
    for name in (*shape.required, *shape.optional):
        kind = "secret" if name in shape.secret else "box" if isinstance(shape.optional.get(name), bool) else "text"
        found.append(Asked(name, SETTINGS[name], kind, name in shape.required and (new or kind == "text")))
    return found


def _config(form: Form, provider_type: str, *, known: DcrProvider | None) -> dict[str, Any]:
    """Read the settings of a type. Raises Invalid where one is needed."""
    config: dict[str, Any] = {}
    missing: list[InvalidParameter] = []
    for one in _asked(provider_type, new=known is None):
        text = form.text(one.name)
        if one.kind == "box":
            config[one.name] = form.flag(one.name)
        elif text:
            config[one.name] = text
        elif one.required:
            missing.append(InvalidParameter(field=one.name, reason="is needed", rule="required"))
        elif one.kind == "text":
            config[one.name] = None
    if missing:
        raise Invalid(*missing)
    return config


def _told(text: str) -> str:
    """Make a sentence of what a provider is found to do, such as "does not accept api_key"."""
    begins = text.partition(" ")[0].lower()
    return sentence(text if begins in ("the", "a", "an", "no") else f"The provider {text}")


def _errors(wrong: Refused) -> dict[str, str]:
    return by_field(errors_of(wrong), _FIELDS, _PREFIXES)
