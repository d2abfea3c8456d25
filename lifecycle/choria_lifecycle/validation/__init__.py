"""Validate many documents: files, batches, policy, reports, several processes."""
