"""The asset graph: datasets, models, validation."""
