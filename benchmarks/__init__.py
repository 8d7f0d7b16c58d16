"""Ratios against a named peer, both in one run on one machine. Not part of the tests."""
