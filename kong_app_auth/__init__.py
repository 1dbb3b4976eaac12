"""Self-hosted application registration for Kong Gateway OSS."""
