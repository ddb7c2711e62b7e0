"""A small HTTP service whose parameters are environment variables."""
