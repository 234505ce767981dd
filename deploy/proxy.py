"""nginx as the deployment uses it: `web` stands in front with TLS, a gateway lets workers reach fixed addresses.

A worker stands on internal networks only. What it may reach outside — core system, printer, mail relay — it
reaches through a gateway that forwards to these addresses and nowhere else. Standard library only.
"""

import os
import sys
from pathlib import Path

CONFIGURATION = Path("/tmp/nginx.conf")  # noqa: S108 - the container's own memory
NOWHERE = "nowhere.invalid:9"

_COMMON = """
load_module modules/ngx_stream_module.so;
pid /tmp/nginx.pid;
error_log stderr warn;
worker_processes 1;
daemon off;
events { worker_connections 512; }
"""

_WEB = """
http {
  server_tokens off;
  access_log /dev/stdout;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/f;
  uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s;
  client_max_body_size 2m;
  resolver 127.0.0.11 valid=10s;
  server {
    listen 8443 ssl http2;
    ssl_certificate /run/secrets/tls_certificate;
    ssl_certificate_key /run/secrets/tls_key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_tickets off;
    add_header Strict-Transport-Security "max-age=31536000" always;
    add_header X-Content-Type-Options nosniff always;
    add_header X-Frame-Options SAMEORIGIN always;
    add_header Referrer-Policy same-origin always;
    error_page 502 503 504 @starting;
    location @starting {
      default_type "text/html; charset=utf-8";
      return 503 "<!doctype html><meta charset=utf-8><meta http-equiv=refresh content=10><title>起動中</title>\
<p>画面を準備しています。しばらくすると自動で表示されます。表示されないときは情報システム課に連絡してください。";
    }
    # Only workers speak to this part of the api-server, and they do not come through here.
    location /execution/ { return 404; }
    location / {
      set $api_server http://api-server:8080;
      proxy_pass $api_server;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto https;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
      proxy_read_timeout 120s;
    }
  }
}
"""


def configuration(kind: str, arguments: list[str]) -> str:
    """nginx.conf for `web`, or for `gateway` with LISTEN_PORT=ADDRESS:PORT each; an empty address leads nowhere."""
    if kind == "web":
        return _COMMON + _WEB
    forwards = (argument.partition("=") for argument in arguments)
    servers = "".join(_forward(int(port), address or NOWHERE) for port, _, address in forwards)
    return f"{_COMMON}\nstream {{\n  resolver 127.0.0.11 valid=10s;\n{servers}}}\n"


def _forward(port: int, address: str) -> str:
    if not address.replace(".", "").replace("-", "").replace(":", "").isalnum():
        raise SystemExit(f"not an address: {address!r} (name:port)")
    return (
        f'  server {{ listen {port}; set $to "{address}"; proxy_pass $to;'
        " proxy_connect_timeout 5s; proxy_timeout 1h; }\n"
    )


def main() -> None:
    """Writes the configuration and becomes nginx."""
    CONFIGURATION.write_text(configuration(sys.argv[1], sys.argv[2:]), encoding="utf-8")
    os.execvp("/usr/sbin/nginx", ["nginx", "-e", "stderr", "-c", str(CONFIGURATION)])  # noqa: S606


if __name__ == "__main__":
    main()
