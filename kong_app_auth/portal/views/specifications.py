"""Specifications, as operators see them."""

from kong_app_auth.portal.contract.specifications import SpecificationSummary, SpecificationView, ValidationMessage
from kong_app_auth.portal.store.apis import ApiSpecification


def specification_view(specification: ApiSpecification) -> SpecificationView:
    """Give the answer for a specification."""
    return SpecificationView(
        id=specification.id,
        content=specification.content,
        validation_messages=[ValidationMessage(message=message) for message in specification.validation_messages],
        type=specification.type,
        created_at=specification.created_at,
        updated_at=specification.updated_at,
    )


def specification_summary(specification: ApiSpecification) -> SpecificationSummary:
    """Give a specification without its content."""
    return SpecificationSummary(
        id=specification.id,
        type=specification.type,
        created_at=specification.created_at,
        updated_at=specification.updated_at,
    )
