"""The outside world: sources of rows, the dataset store and the model store."""
