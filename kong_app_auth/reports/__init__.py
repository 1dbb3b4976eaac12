"""What gateways report of themselves: how often applications called, which credentials were used, and why requests were
refused. Shared by the plugin (which counts), the follower (which appends to Redis), the daemon and the portal.

Reports may be lost (and that is counted), never counted twice; nothing in them is personal, no key, no digest of one.
"""
