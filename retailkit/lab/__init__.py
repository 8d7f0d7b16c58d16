"""How a study runs; knows nothing of retail."""
