"""Every way in, once: OCDS, the form, tables and bulk files."""
