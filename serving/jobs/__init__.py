"""Portfolios that are scored in the background: uploaded once, found by their address, alive after a restart."""
