"""What buyers, advisers, suppliers and markets did before a date."""
