"""What a contractor may use to check, open and answer a package: on one PC, without internet.

A convenience, not a condition: stock `age`, `sha256sum`, `ssh-keygen -Y` and a text editor do the same.
`python -m contractor_kit --help` is the way in. Imports from `notice_cycle` only what both parties share:
formats, signatures, encryption.
"""
