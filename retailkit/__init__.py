"""retailkit."""
