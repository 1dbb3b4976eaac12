"""The registry of one region in Redis or Valkey: key layout, record encoding, the leased writer and how to read it."""
