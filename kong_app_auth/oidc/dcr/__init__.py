"""Dynamic client registration: OAuth clients of applications, made at the operator's identity provider."""
