"""The developers' API: `/api/v3` on a portal's own address, with the session cookie."""
