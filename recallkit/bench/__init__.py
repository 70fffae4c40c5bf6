"""What things cost: ranks, steps, searches, precision. Each benchmark is a module of its own."""
