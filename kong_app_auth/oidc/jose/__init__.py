"""What is let in of JOSE: the compact JWS (RFC 7515), signed with an asymmetric key (RFC 8725)."""
