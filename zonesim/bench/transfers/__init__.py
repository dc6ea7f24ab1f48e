"""The older ways to workers, one file each: the rungs below the library's own on the ladder.

Each is a pool as far as a Scheduler knows: ``with Direct(workers=2) as rung, cr.Scheduler(rung)``.
They keep the promises of a Transfer and nothing beyond: no call is run again, none has a timeout.
"""
