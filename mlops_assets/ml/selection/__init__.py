"""Selection: which version may serve, and which model is champion."""
