"""Tests of the stores and sources."""
