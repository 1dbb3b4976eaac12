"""The keys of identity providers, fetched into the registry."""
