"""Records, states, the key format and the access decision. Pure: no I/O and no clock."""
