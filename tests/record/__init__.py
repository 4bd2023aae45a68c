"""What a call leaves behind, and what cannot be taken away unseen."""
