"""Portfolios that are scored in the background: an upload becomes a job, and its address shows what becomes of it."""
