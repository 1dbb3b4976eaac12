"""The whole data path on one machine, to see it work: `kong-app-auth demo`."""
