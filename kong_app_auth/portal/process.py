"""The process of a portal: the web server and what works in the background."""
