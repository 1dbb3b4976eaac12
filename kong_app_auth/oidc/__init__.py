"""OpenID Connect: the checks of tokens, and the clients of identity providers."""
