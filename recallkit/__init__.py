"""Train image retrieval directly for recall@k."""
