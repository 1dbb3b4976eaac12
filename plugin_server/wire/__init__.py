"""The wire format of ProtoBuf:1."""
