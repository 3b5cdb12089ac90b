"""What the asset graph is made of: keys, partitions and runs."""
