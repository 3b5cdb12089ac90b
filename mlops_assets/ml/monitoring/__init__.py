"""Monitoring: whether rows, inputs and models are as usual."""
