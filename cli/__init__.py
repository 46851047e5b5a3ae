"""The command line: `tender-risk`."""
