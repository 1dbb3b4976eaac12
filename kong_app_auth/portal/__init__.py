"""The control plane: where APIs are published, developers sign up, and applications get their credentials.

`store` keeps the records, `services` hold the rules, `contract` has the bodies of Konnect's API, `views` make answers
of records, `api` has the routes, `feed` tells each region's sync daemon what has changed. Arrows point this way:
store <- services <- views <- api <- application.
"""
