"""Features: model inputs of a day."""
