"""Backtests of retraining policies: what is asked, what is replayed, what is kept of it."""
