"""`/operator/strategies`: auth strategies, by which applications show who they are."""

from typing import Any, Final

from fastapi import Request, Response

from kong_app_auth.domain.openid_connect import METHODS
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.contract.strategies import CreateStrategy, UpdateStrategy
from kong_app_auth.portal.errors import invalid
from kong_app_auth.portal.services import dcr_providers, strategies, strategy_uses
from kong_app_auth.portal.store.strategies import AuthStrategy, DcrProvider
from kong_app_auth.portal.web.forms import Form, OperatorForm, checked, errors_of, first_time
from kong_app_auth.portal.web.operators.asking import Question, ask
from kong_app_auth.portal.web.operators.lines import by_field, changed, labels_of, lines_of, written, written_labels
from kong_app_auth.portal.web.operators.lists import asked, holds, listed
from kong_app_auth.portal.web.operators.wrong import WRONG
from kong_app_auth.portal.web.rendering import render, see_other
from kong_app_auth.portal.web.sessions import OperatorReader, OperatorWriter
from kong_app_auth.portal.web.sites import site_of
from kong_app_auth.portal.web.words import words

routes = router("/operator/strategies", "Pages")

KEYS: Final = "key_auth"
TOKENS: Final = "openid_connect"
TYPES: Final = (KEYS, TOKENS)
METHOD_WORDS: Final = {
    "bearer": (
        words("Tokens (JWT) in the Authorization header"),
        words("Judged at the gateway, without asking anybody."),
    ),
    "client_credentials": (
        words("Client id and secret (Basic)"),
        words("The gateway takes a token for them at the identity provider, and keeps it while it is good."),
    ),
    "introspection": (
        words("Opaque tokens"),
        words("The gateway asks the identity provider about each, and remembers the answer."),
    ),
}
"""The methods that grant something: label and hint."""
_NEEDED_LISTS: Final = ("credential_claim", "scopes")
_FURTHER_LISTS: Final = ("audience_required", "scopes_required")
_PREFIXES: Final = ("configs.key-auth.", "configs.openid-connect.")
_FIELDS: Final = (
    *("name", "display_name", "labels", "strategy_type", "key_names", "ttl_value", "ttl_unit"),
    *("issuer", "auth_methods", "dcr_provider_id", *_NEEDED_LISTS, *_FURTHER_LISTS),
)


@routes.get("", response_class=Response)
def list_strategies(access: OperatorReader, request: Request) -> Response:
    """All strategies of the region."""
    given = asked(request, "q", "type")
    with access.read() as tx:
        statement = strategies.all_strategies(tx)
        if given["q"]:
            statement = statement.where(holds(given["q"], AuthStrategy.name, AuthStrategy.display_name))
        if given["type"] in TYPES:
            statement = statement.where(AuthStrategy.strategy_type == given["type"])
        found = listed(request, tx, statement, AuthStrategy.name, AuthStrategy.id, narrowed=given)
    return render(access, site_of(access), "operators/strategies.html", found=found, q=given["q"], type=given["type"])


@routes.get("/new", response_class=Response)
def show_new(access: OperatorWriter, type: str = KEYS) -> Response:
    """Ask what it is."""
    given = {"strategy_type": [type if type in TYPES else KEYS], "key_names": ["apikey"], "auth_methods": ["bearer"]}
    return _form(access, None, Form(given), {})


@routes.post("/new", response_class=Response)
def create(access: OperatorWriter, form: OperatorForm) -> Response:
    """Make it."""
    try:
        strategy_type = form.text("strategy_type")
        if strategy_type not in TYPES:
            raise invalid("strategy_type", "must be key_auth or openid_connect")
        values = {"strategy_type": strategy_type, **_shared(form), "labels": labels_of(form.text("labels"))}
        if strategy_type == KEYS:
            values["configs"] = {"key-auth": _keys(form)}
        else:
            values |= {"configs": {"openid-connect": _tokens(form, {})}, "dcr_provider_id": _provider(form)}
        wanted = checked(CreateStrategy, values)
        with access.write() as tx:
            if not first_time(tx, access, form):
                return see_other(access.request, "/operator/strategies", "already")
            strategy_id = strategies.create(tx, wanted).id
    except WRONG as wrong:
        return _form(access, None, form, _errors(wrong), 422)
    return see_other(access.request, f"/operator/strategies/{strategy_id}", "created")


@routes.get("/{auth_strategy_id}", response_class=Response)
def show(access: OperatorReader, auth_strategy_id: str) -> Response:
    """A strategy: its settings, and where it is used."""
    with access.read() as tx:
        strategy = strategies.the_strategy(tx, auth_strategy_id)
        uses = strategy_uses.of_strategy(tx, strategy)
    named = ("issuer", "auth_methods", *_NEEDED_LISTS)
    further = (
        {name: value for name, value in strategy.config.items() if name not in named} if _is_tokens(strategy) else {}
    )
    return render(
        access,
        site_of(access),
        "operators/strategy.html",
        strategy=strategy,
        uses=uses,
        further=further,
        methods=METHOD_WORDS,
        granting=any(one in METHODS for one in strategy.config.get("auth_methods", ())),
    )


@routes.get("/{auth_strategy_id}/edit", response_class=Response)
def show_edit(access: OperatorWriter, auth_strategy_id: str) -> Response:
    """Show what can be changed."""
    with access.read() as tx:
        strategy = strategies.the_strategy(tx, auth_strategy_id)
    return _form(access, strategy, Form(_as_typed(strategy)), {})


@routes.post("/{auth_strategy_id}/edit", response_class=Response)
def edit(access: OperatorWriter, form: OperatorForm, auth_strategy_id: str) -> Response:
    """Change it."""
    with access.read() as tx:
        strategy = strategies.the_strategy(tx, auth_strategy_id)
    try:
        values: dict[str, Any] = {**_shared(form), "labels": changed(strategy.labels, labels_of(form.text("labels")))}
        if _is_tokens(strategy):
            tokens = _tokens(form, strategy.config)
            values |= {"configs": {"openid-connect": tokens}, "dcr_provider_id": _provider(form)}
        else:
            values["configs"] = {"key-auth": _keys(form)}
        wanted = checked(UpdateStrategy, values)
        with access.write() as tx:
            strategies.update(tx, auth_strategy_id, wanted)
    except WRONG as wrong:
        return _form(access, strategy, form, _errors(wrong), 422)
    return see_other(access.request, f"/operator/strategies/{auth_strategy_id}", "saved")


@routes.get("/{auth_strategy_id}/delete", response_class=Response)
def ask_to_delete(access: OperatorWriter, auth_strategy_id: str) -> Response:
    """Ask before it is deleted."""
    return _ask(access, auth_strategy_id)


@routes.post("/{auth_strategy_id}/delete", response_class=Response)
def delete(access: OperatorWriter, form: OperatorForm, auth_strategy_id: str) -> Response:  # noqa: ARG001  it is ours
    """Delete it."""
    try:
        with access.write() as tx:
            strategies.delete(tx, auth_strategy_id)
    except WRONG as wrong:
        return _ask(access, auth_strategy_id, 422, errors_of(wrong))
    return see_other(access.request, "/operator/strategies", "deleted")


def _ask(
    access: OperatorWriter, auth_strategy_id: str, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    with access.read() as tx:
        name = strategies.the_strategy(tx, auth_strategy_id).name
    effect = words("A strategy can be deleted as long as no publication, no portal and no application uses it.")
    back = f"/operator/strategies/{auth_strategy_id}"
    question = Question(
        title=words("Delete this strategy?"), name=name, effect=effect, yes=words("Yes, delete it"), back=back
    )
    return ask(access, question, status=status, errors=errors)


def _form(
    access: OperatorWriter, strategy: AuthStrategy | None, form: Form, errors: dict[str, str], status: int = 200
) -> Response:
    strategy_type = form.text("strategy_type") if strategy is None else strategy.strategy_type
    providers: list[DcrProvider] = []
    if strategy_type == TOKENS:
        with access.read() as tx:
            providers = list(tx.session.scalars(dcr_providers.all_providers(tx).order_by(DcrProvider.name)))
    return render(
        access,
        site_of(access),
        "operators/strategy_form.html",
        status,
        strategy=strategy,
        type=strategy_type if strategy_type in TYPES else KEYS,
        form=form,
        errors=errors,
        providers=[(one.id, one.name) for one in providers],
        methods=METHOD_WORDS,
    )


def _shared(form: Form) -> dict[str, Any]:
    return {"name": form.text("name"), "display_name": form.text("display_name")}


def _keys(form: Form) -> dict[str, Any]:
    unit = form.optional("ttl_unit")
    if unit is None:
        ttl = None
    elif form.text("ttl_value"):
        ttl = {"value": form.whole_number("ttl_value"), "unit": unit}
    else:
        raise invalid("ttl_value", "is needed, unless keys never end")
    return {"key_names": lines_of(form.text("key_names")), "ttl": ttl}


def _tokens(form: Form, known: dict[str, Any]) -> dict[str, Any]:
    """Read the settings of tokens. Methods that grant nothing here are kept: another gateway may know them."""
    kept = [one for one in known.get("auth_methods", ()) if one not in METHODS]
    settings: dict[str, Any] = {"issuer": form.text("issuer"), "auth_methods": [*form.several("auth_methods"), *kept]}
    settings |= {name: lines_of(form.text(name)) for name in _NEEDED_LISTS}
    further = {name: lines_of(form.text(name)) for name in _FURTHER_LISTS}
    return settings | {name: entries for name, entries in further.items() if entries or name in known}


def _provider(form: Form) -> str | None:
    return form.optional("dcr_provider_id")


def _is_tokens(strategy: AuthStrategy) -> bool:
    return strategy.strategy_type == TOKENS


def _as_typed(strategy: AuthStrategy) -> dict[str, list[str]]:
    config = strategy.config
    given = {"name": [strategy.name], "display_name": [strategy.display_name]}
    given["labels"] = [written_labels(strategy.labels)]
    if not _is_tokens(strategy):
        ttl = config.get("ttl") or {"value": "", "unit": ""}
        names = [written(config.get("key_names", ()))]
        return given | {"key_names": names, "ttl_value": [str(ttl["value"])], "ttl_unit": [ttl["unit"]]}
    lists = {name: [written(config.get(name) or ())] for name in (*_NEEDED_LISTS, *_FURTHER_LISTS)}
    methods = {"auth_methods": list(config.get("auth_methods", ()))}
    return given | lists | methods | {"issuer": [config["issuer"]], "dcr_provider_id": [strategy.dcr_provider_id or ""]}


def _errors(wrong: Any) -> dict[str, str]:
    told = {"configs.key-auth.ttl.value": "ttl_value", "configs.key-auth.ttl.unit": "ttl_unit"}
    errors = {told.get(name, name): text for name, text in errors_of(wrong).items()}
    return by_field(errors, _FIELDS, _PREFIXES)
