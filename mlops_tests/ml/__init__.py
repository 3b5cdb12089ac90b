"""Tests of the forecasting code."""
