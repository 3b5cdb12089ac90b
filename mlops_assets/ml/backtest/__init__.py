"""Backtests: policies tried on the past."""
