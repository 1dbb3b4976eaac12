"""Self-hosted application registration for Kong Gateway OSS."""

__version__ = "0.1.0"
