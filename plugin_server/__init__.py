"""A server for Kong plugins written in Python: the process that Kong talks to over ProtoBuf:1.

It hosts any class with `Plugin(config).access(kong)`. The supervisor owns the socket, the zygote loads the plugin and
forks workers, the workers' threads answer Kong.
"""
