"""Settings that no daemon starts with."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from kong_app_auth.sync.process import run_sync


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"region": "EU"}, "a region is named by lower-case letters, digits and inner hyphens"),
        ({"redis_url": "http://u:secret@h"}, "a URL begins with redis://"),
        ({"metrics_address": "9100"}, "the address of the metrics is written host:port"),
        ({"metrics_address": "localhost:65536"}, "the address of the metrics is written host:port"),
        ({"ca_file": Path("/no/such/file")}, "there is no file /no/such/file"),
        ({"kong_file": Path("/no/such/file")}, "cannot read /no/such/file"),
    ],
)
def test_a_wrong_setting_is_one_line_and_exit_code_2(changed: dict[str, object], problem: str) -> None:
    settings: dict[str, object] = {"redis_url": "redis://h", "region": "eu", "apps_file": Path("apps.yaml"), **changed}
    with capture_logs() as logs:
        assert run_sync(**settings) == 2  # type: ignore[arg-type]
    (line,) = logs
    assert line["event"] == "wrong setting"
    assert str(line["problem"]).startswith(problem)
    assert "secret" not in str(line)
