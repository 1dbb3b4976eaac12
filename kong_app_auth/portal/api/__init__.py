"""The HTTP API: routes, who may call them, and how problems are told. The rules are in `services`."""
