"""How long networks take: profiles, outlook, what was gained."""
