"""The data path, started once for this directory."""

from tests.system.fixtures import data_path, kong, needs_kong, shared_data_path

__all__ = ["data_path", "kong", "needs_kong", "shared_data_path"]
