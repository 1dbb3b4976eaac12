"""The portal's web pages: for developers at a portal's own address, for operators under `/operator`.

The pages do nothing that the API cannot: every write is the service call that the API's route makes. They work without
JavaScript: plain forms, POST, 303, GET.
"""
