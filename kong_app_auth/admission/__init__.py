"""Judging OAuth clients on the path of a request: what a token or a client's secret proves, and whom it lets in.

Between the plugin, which knows Kong, and the library of `kong_app_auth.oidc`, which knows providers. Only proofs are
remembered, never decisions: what the registry says of client, application and registration is asked each time.
"""
