"""The checks. They mirror the tree: tests/tenders for tenders/, and so on."""
