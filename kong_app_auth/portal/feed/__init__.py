"""The feed: what a region's gateways may know, and how its changes reach the sync daemon."""
