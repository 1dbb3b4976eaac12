"""Operators' pages: `/operator` on the control plane's own address."""
