"""The command line, the figures and the report page: thin, no statistics of their own."""
