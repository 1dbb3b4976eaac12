"""A stand-in for Kong Gateway 3.9.1, for development, demonstration and tests. NOT FOR PRODUCTION.

It reads Kong's declarative configuration, has the part of the Admin API that this project uses, proxies HTTP, and
speaks both plugin-server protocols as Kong does, with their faults: it retries without limit where Kong does, and under
MsgPack:1 fails open where Kong does. Only external plugins run, only in the phase `access`, and it is one worker.
"""

from kong_app_auth.devgateway.declarative import BadConfiguration
from kong_app_auth.devgateway.gateway import DevGateway
from kong_app_auth.devgateway.plugin_info import BadPluginInfo
from kong_app_auth.devgateway.process import run_gateway, serve
from kong_app_auth.devgateway.settings import GatewaySettings, PluginServerSettings
from kong_app_auth.devgateway.upstream import SampleUpstream

__all__ = [
    "BadConfiguration",
    "BadPluginInfo",
    "DevGateway",
    "GatewaySettings",
    "PluginServerSettings",
    "SampleUpstream",
    "run_gateway",
    "serve",
]
