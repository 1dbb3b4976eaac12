"""Developers' pages, on a portal's own address."""
