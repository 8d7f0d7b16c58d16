"""Who took what: sensors of a store without cashiers, brought together."""
