"""Windfall's tests."""
