"""What an operator is told beside the answer, in a header: beyond Konnect, whose answers have no place for it."""

from typing import Final

from fastapi import Response

from kong_app_auth.portal.transaction import Transaction

HEADER: Final = "X-App-Auth-Warning"
MOST: Final = 10
"""Warnings in one answer; the audit log has them all."""


def tell(response: Response, tx: Transaction) -> None:
    """Put the warnings of a transaction into the answer."""
    if tx.warnings:
        more = len(tx.warnings) - MOST
        said = tx.warnings[:MOST] + ([f"{more} more are in the audit log"] if more > 0 else [])
        response.headers[HEADER] = "; ".join(said)
