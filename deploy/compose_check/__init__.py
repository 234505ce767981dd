"""`make compose-check`: docker-compose.yaml built, started, attacked, shaken and stopped, with the engine of this machine.

deployment.py  one throw-away deployment of profile `demo`: own project, secrets, port and image tag
reaches.py     who may reach, read and write what; everything else must be refused
cycle.py       a whole cycle, and every container restarted in the middle of it
afterwards.py  quantities, ledger, package, what is left, and the canary
inside/        what runs inside the containers, given to their Python on standard input

It never touches another project, and refuses to begin while something of an earlier check is still there.
"""
