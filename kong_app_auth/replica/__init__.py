"""One gateway node's copy of a region's registry: an LMDB file, who keeps it, and who reads it on each request."""
