"""The papers' tables and figures as experiments that anyone can run.

An experiment divides into jobs, each of which trains or measures one thing and leaves
a JSON file, so that an interrupted experiment goes on with the next job, and
experiments that need the same job share it. Its page is made of their results.
"""
