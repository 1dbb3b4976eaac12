"""What the sync daemons call: the feed and the reports, with a token per region."""
