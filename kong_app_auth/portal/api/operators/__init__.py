"""The operators' API: `/v3` and `/v2`, with bearer tokens."""
