"""The identity provider of the demo and of the tests: npm's `oidc-provider`, a certified one, as a Node process.

It needs Node 20 or newer with npm. The package is installed once (`installation`), each process has a file of its own
(`configuration`), and what happens to a provider in real life is made to happen by `control`.
"""
