"""What was found out, as text, JSON, a page and a picture."""
