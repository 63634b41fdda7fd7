"""How channels run through a network: followed by labels, coupled, and proved by cuts."""
