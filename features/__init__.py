"""What we measure on a tender: one plain function a feature, in files by theme."""
