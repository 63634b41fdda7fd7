"""What a search is worth after fine-tuning, and what it costs."""
