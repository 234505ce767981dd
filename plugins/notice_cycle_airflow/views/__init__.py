"""Pages the product adds to the web UI. Every route asks Airflow whether its DAG may be read."""

PREPARATION = "notice-cycle-preparation"
"""Where the web UI shows 準備 beside a DAG; the mails of a preparation link there."""
