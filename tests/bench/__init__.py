"""Speed, as ratios against named peers that are measured in the same run: `make bench`.

Speed is reported, never asserted. What is asserted is that every peer gives the right answer, before its clock starts.
"""
