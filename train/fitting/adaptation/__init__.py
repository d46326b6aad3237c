"""A bundle fitted to another site by its last layer, from reviewed fields."""
