"""Forecasting without an orchestrator: plain functions and small classes over frames."""
