"""What can be told of a problem from a sample of its rows; each decision with its reason."""
