"""Managing models while the system runs: what each job asks, checks, records and computes."""
