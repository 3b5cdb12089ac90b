"""Contracts: what every entry of a registry must hold, tried on one by command or by pytest."""
