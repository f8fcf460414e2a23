"""Certified copies of a participant, a site or the study: made from a bundle, signed, and checked later.

Everything that a copy says is read from the bundle that is attached to it, so that the readable and the
machine form cannot differ, and what the bundle leaves sealed stays sealed in each (21 CFR 11.10(b)).
"""
