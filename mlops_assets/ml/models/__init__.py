"""Models: families, pipelines, what they learn from and how they are fitted."""
