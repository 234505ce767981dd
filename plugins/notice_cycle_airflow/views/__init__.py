"""Pages the product adds to the web UI. Every route asks Airflow whether its DAG may be read."""
