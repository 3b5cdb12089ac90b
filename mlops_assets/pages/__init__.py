"""Interactive pages: how they are made, and the site that serves them."""
