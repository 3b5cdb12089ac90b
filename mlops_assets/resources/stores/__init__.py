"""What is kept under the storage root, one store per subject."""
