"""The whole data path as processes, for tests that look at it from outside: as a client, an upstream, an operator."""
