# The product's image; `docker compose build` makes it, with any Docker engine.
# No secret is in any layer: keys, passwords and connections are files mounted at run time.

FROM python:3.12-slim-bookworm AS product
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini cups-client libkrb5-3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --create-home --home-dir /var/lib/notice-cycle notice \
    && install -d -o notice -g notice -m 0700 /srv/vault /srv/outbox /srv/inbox
WORKDIR /opt/notice-cycle
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY dags dags
COPY plugins plugins
COPY include/config include/config
COPY include/notice_cycle include/notice_cycle
COPY deploy deploy
RUN python -m compileall -q dags plugins include
ENV PYTHONPATH=/opt/notice-cycle/include:/opt/notice-cycle/plugins \
    AIRFLOW_HOME=/var/lib/notice-cycle/airflow \
    PYTHONUNBUFFERED=1
USER notice
ENTRYPOINT ["tini", "--"]
