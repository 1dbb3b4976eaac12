"""The reports of a region's gateways, on their way from Redis to the portal."""
