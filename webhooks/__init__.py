"""The push side: live events to browsers and programs, the HTTP API and the console."""
