"""Compare networks with other models on tables: who makes how many mistakes on rows that nobody was trained on."""
