"""Real servers for tests, on free loopback ports, ended with the context that started them (or with this process)."""
