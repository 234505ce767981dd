# The product's images; `docker compose build` makes them, with any Docker engine (the legacy builder too).
# No secret is in any layer: keys, passwords and connections are files mounted at run time.

# What stands in front (TLS) and what lets the workers reach one address each: nginx, nothing of the product.
FROM python:3.12-slim-bookworm AS proxy
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini nginx-light libnginx-mod-stream \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --create-home --home-dir /var/lib/notice-cycle notice
WORKDIR /opt/notice-cycle
COPY deploy/*.py deploy/
USER notice
ENTRYPOINT ["tini", "--", "python", "deploy/start.py"]

FROM python:3.12-slim-bookworm AS product
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini cups-client libkrb5-3 fonts-ipamj-mincho \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --create-home --home-dir /var/lib/notice-cycle notice \
    && install -d -o notice -g notice -m 0700 \
       /srv/vault /srv/outbox /srv/inbox /srv/print_tray /srv/heads /srv/checkpoints /srv/logs \
       /srv/drops /srv/results /srv/pullout_desk /srv/reply_desk /srv/watch
WORKDIR /opt/notice-cycle
COPY requirements.txt ./
RUN pip install --no-cache-dir --disable-pip-version-check -r requirements.txt
COPY dags dags
COPY plugins plugins
COPY include/config include/config
COPY include/notice_cycle include/notice_cycle
COPY docs/runbook.md docs/
COPY include/contractor_kit/decrypter/open.html include/contractor_kit/decrypter/open.html.sha256 include/contractor_kit/decrypter/
COPY deploy/*.py deploy/
RUN python -m compileall -q dags plugins include deploy
ENV PYTHONPATH=/opt/notice-cycle/include:/opt/notice-cycle/plugins \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    AIRFLOW_HOME=/var/lib/notice-cycle/airflow
USER notice
ENTRYPOINT ["tini", "--", "python", "deploy/start.py"]

# The rest of the world, for a rehearsal: core system, contractor, mail server, officers. Never in a deployment.
FROM product AS demo
USER root
COPY requirements-dev.txt ./
RUN apt-get update \
    && apt-get install -y --no-install-recommends openssh-server \
    && rm -rf /var/lib/apt/lists/* /etc/ssh/ssh_host_* \
    && pip install --no-cache-dir --disable-pip-version-check -c requirements-dev.txt aiosmtpd pypdf \
    && groupadd exchange \
    && useradd --no-create-home --password '*' --groups exchange ward \
    && useradd --no-create-home --password '*' --groups exchange contractor \
    && install -d -o notice -g notice -m 0700 /srv/mail /srv/contractor /srv/desk
COPY include/contractor_kit include/contractor_kit
COPY include/synthetic_ward include/synthetic_ward
COPY include/embedded_ward include/embedded_ward
COPY deploy/demo deploy/demo
RUN python -m compileall -q include
USER notice
