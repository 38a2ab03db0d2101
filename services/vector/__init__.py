"""process_vector: any vector file, cleaned, staged, checked and published as a table."""
