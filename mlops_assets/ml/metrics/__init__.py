"""Metrics: from forecasts and actuals to scores."""
