"""The command line: thin, over HTTP to services or over crate on files."""
