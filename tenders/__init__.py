"""What a tender is and where tenders come from. No machine learning in here."""
