"""What `whocalls demo` shows: the whole service with sample subscribers and a simulated PBX."""
