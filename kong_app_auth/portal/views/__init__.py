"""From records to the bodies of answers."""
