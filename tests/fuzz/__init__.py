"""Fuzzers: of whole bundles by mutation, of each parser guided by coverage."""
