#!/bin/sh
# Writes random passwords and tokens for docker-compose.yml: .env (readable by its owner only) and
# deploy/docker/secrets/tokens.json, the digests of the tokens that services accept. Never overwrites.
#
#   sh deploy/docker/make-secrets.sh [folder of docker-compose.yml]
set -eu
umask 077

root=${1:-$(cd "$(dirname "$0")/../.." && pwd)}
environment=$root/.env
tokens=$root/deploy/docker/secrets/tokens.json
for file in "$environment" "$tokens"; do
  if [ -e "$file" ]; then
    echo "$file is there already: remove it to make new secrets (Postgres keeps its old password in its volume)" >&2
    exit 1
  fi
done

random() { # 32 bytes, in hexadecimal
  head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'
}
digest() {
  if command -v sha256sum >/dev/null; then printf %s "$1" | sha256sum; else printf %s "$1" | shasum -a 256; fi | cut -c1-64
}

service=$(random)
operator=$(random)
approver=$(random)

cat >"$environment" <<END
# Made by deploy/docker/make-secrets.sh; read by docker compose. For the CLI: set -a; . ./.env; set +a
COMPOSE_PROJECT_NAME=headrace
POSTGRES_PASSWORD=$(random)
GRAFANA_ADMIN_PASSWORD=$(random)
# What services show to each other.
HEADRACE_SERVICE_TOKEN=$service
# What the CLI shows: an operator's token. Waiving a gate takes the approver's.
HEADRACE_TOKEN=$operator
HEADRACE_APPROVER_TOKEN=$approver
# Of the pseudonyms in the prediction log: another key makes other pseudonyms.
GATEWAY_PSEUDONYM_KEY=$(random)
HEADRACE_INFERENCE_GATEWAY_ADDRESS=127.0.0.1:5100
HEADRACE_INGESTION_ADDRESS=127.0.0.1:5101
HEADRACE_FEATURE_STORE_ADDRESS=127.0.0.1:5102
HEADRACE_TRAINING_ADDRESS=127.0.0.1:5103
HEADRACE_REGISTRY_ADDRESS=127.0.0.1:5104
HEADRACE_MONITORING_ADDRESS=127.0.0.1:5105
END

mkdir -p "$(dirname "$tokens")"
cat >"$tokens" <<END
[
  { "sha256": "$(digest "$service")", "subject": "service", "roles": ["service"] },
  { "sha256": "$(digest "$operator")", "subject": "operator", "roles": ["operator", "data-scientist", "viewer"] },
  { "sha256": "$(digest "$approver")", "subject": "approver", "roles": ["approver", "viewer"] }
]
END
# Digests of random tokens are no secret, and the services run as another user.
chmod 755 "$(dirname "$tokens")"
chmod 644 "$tokens"
echo "Wrote $environment and $tokens"
