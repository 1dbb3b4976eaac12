"""Identity providers at which clients are made, as their public API documents describe them: real HTTP servers of ours.

None of them was compared with an account at the provider. They are strict: what the documents do not allow is refused.
"""
