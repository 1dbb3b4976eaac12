"""Kong's side of the plugin-server protocol, for tests: a client, a server under test, and small plugins for it."""
