"""The portal as the source of a daemon: its feed, followed over HTTP."""
