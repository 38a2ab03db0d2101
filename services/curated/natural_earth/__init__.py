"""Natural Earth: boundaries of the world, in releases that an archive names itself."""
