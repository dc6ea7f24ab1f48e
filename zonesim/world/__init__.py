"""The game world: maps, paths, entities and their behaviour."""
