"""Hypothesis without its deadline: this machine may be busy with something else for longer than that."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
