"""Turns a checkpoint into what a phone runs: lowered networks, hashed and verified, in one bundle."""
