"""The HTTP API, one file per resource. Every route says who may use it; errors are problem documents."""
