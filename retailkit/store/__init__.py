"""What happens inside a store."""
