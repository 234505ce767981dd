"""The domain library of the notice cycle: what a dispatch is, what is checked, what is proved.

Nothing here knows Airflow. Nothing here opens a network connection except the ledger's store and
the extraction's source.
"""
