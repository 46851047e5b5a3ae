"""What the tenders package promises."""
