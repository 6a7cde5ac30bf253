"""Damage done on purpose: files that are mutated, work that is killed, disks that are full, many at once and very often.

A fault (case.py) has any number of cases. Each has a number, and all that is random in it follows from the seed and that number. run.py
tries them one after the other and keeps a journal, so that an interrupted run goes on where it was.
"""
