"""`make bench-restart`: does a restarted operator go on where it was, and how soon?"""
