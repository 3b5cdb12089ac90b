"""What a schedule, a sensor or a person runs."""
