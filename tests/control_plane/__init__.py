"""A control plane for tests: databases, clients that check every answer against Konnect's contract, and shortcuts."""
