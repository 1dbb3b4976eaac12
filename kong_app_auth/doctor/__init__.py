"""Looking at a node's set-up part by part, and saying what to do about what is wrong: `kong-app-auth doctor`."""

from kong_app_auth.doctor.check import Check
from kong_app_auth.doctor.examination import examine

__all__ = ["Check", "examine"]
