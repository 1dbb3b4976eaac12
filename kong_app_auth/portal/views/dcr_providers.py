"""DCR providers, as operators see them: without what is secret."""

from kong_app_auth.portal.contract.dcr_providers import ProviderView
from kong_app_auth.portal.store.strategies import DcrProvider


def provider_view(provider: DcrProvider) -> ProviderView:
    """Give the answer for a provider."""
    view = ProviderView(
        id=provider.id,
        name=provider.name,
        provider_type=provider.provider_type,
        issuer=provider.issuer,
        active=provider.active,
        dcr_config=provider.config,
        labels=provider.labels,
        created_at=provider.created_at,
        updated_at=provider.updated_at,
    )
    if provider.display_name is not None:
        view.display_name = provider.display_name
    return view
