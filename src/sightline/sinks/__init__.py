"""Where results go: files in the formats of the field."""
