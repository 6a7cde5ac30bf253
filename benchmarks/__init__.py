"""Measurements of exported bundles on this machine; none of them speaks for a phone."""
