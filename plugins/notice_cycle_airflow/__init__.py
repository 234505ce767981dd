"""What Airflow needs of the product: timetables, operators, pages. Rules live in notice_cycle, not here."""
