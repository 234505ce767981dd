"""Everything `make demo` needs on one machine, without Docker: a ward's servers in small, all of them real.

Demonstration and tests only. Nothing here is imported by the product, installed in a deployment, or
meant to keep data: every start begins with a wiped directory.
"""
