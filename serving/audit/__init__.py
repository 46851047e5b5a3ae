"""The audit trail: who was told which score, by which bundle, and who changed what."""
