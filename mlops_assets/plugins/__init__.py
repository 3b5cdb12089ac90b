"""Plugins that ship with the package; each needs the optional package that it is called like."""
