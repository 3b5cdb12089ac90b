"""A new project out of a table: what can be told of it, and the files that say so."""
