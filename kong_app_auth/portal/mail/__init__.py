"""Mail to developers and operators: the templates that Konnect names, and their way out."""
