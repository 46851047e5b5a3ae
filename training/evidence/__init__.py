"""What is known of each factor: from documents, from registers, from UK cases, and pooled."""
