"""Attempts to make what is stored depend on what was not known yet."""
