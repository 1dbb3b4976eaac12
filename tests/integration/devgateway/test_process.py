"""The gateway as a process of its own."""

import signal
import sys
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest
import requests

from kong_app_auth.devgateway import BadConfiguration, BadPluginInfo, DevGateway, GatewaySettings, PluginServerSettings
from tests.servers.gateway import development_gateway, sample_upstream
from tests.servers.plugin_server import described
from tests.servers.process import end, free_port, start, wait_until


def test_it_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(sample_upstream())
        (tmp_path / "kong.yaml").write_text(
            f"_format_version: '3.0'\nservices: [{{url: '{upstream.url}', routes: [{{paths: [/]}}]}}]\n"
        )
        settings = GatewaySettings(
            proxy_port=free_port(), admin_port=free_port(), declarative_config=str(tmp_path / "kong.yaml")
        )
        (tmp_path / "settings.json").write_bytes(msgspec.json.encode(settings))
        script = "import sys; from kong_app_auth.devgateway import serve; serve(sys.argv[1])"
        command = [sys.executable, "-c", script, tmp_path / "settings.json"]
        process = start(command, tmp_path / "log")
        stack.callback(end, process)

        def answers() -> bool:
            try:
                return requests.get(f"http://127.0.0.1:{settings.proxy_port}/x", timeout=5).json()["path"] == "/x"
            except requests.ConnectionError:
                return False

        wait_until(answers)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert "not for production" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("command", ["/nowhere", "false", "echo nothing", "'unclosed"])
def test_a_failing_query_command_is_said(tmp_path: Path, command: str) -> None:
    server = PluginServerSettings(name="app-auth", socket=str(tmp_path / "s"), query_cmd=command)
    settings = GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(server,))
    with pytest.raises(BadPluginInfo, match="app-auth"), development_gateway(settings):
        pass


def test_two_plugins_of_one_name_are_refused(tmp_path: Path) -> None:
    server = described(tmp_path, tmp_path / "s")
    settings = GatewaySettings(proxy_port=0, admin_port=0, plugin_servers=(server, server))
    with pytest.raises(BadPluginInfo, match="there already"), development_gateway(settings):
        pass


def test_a_bad_declarative_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "kong.yaml").write_text("_format_version: '3.0'\nservices: [{}]\n")
    settings = GatewaySettings(proxy_port=0, admin_port=0, declarative_config=str(tmp_path / "kong.yaml"))
    with pytest.raises(BadConfiguration, match="host"), development_gateway(settings):
        pass
    assert DevGateway(settings).store.all("services") == []
