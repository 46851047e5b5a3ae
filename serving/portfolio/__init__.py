"""Portfolios: a register scored as a whole, piece by piece. This side reads it: files to blocks, blocks to rows."""
