"""The bodies of Konnect's API, request and answer, one module a subject. They hold no rules but those of form."""
