"""The sync daemon: what a region's source says in, the region's registry in Redis out."""
