#!/usr/bin/env bash
# Runs commands beside stand-ins that others wrote: PyPI's mockpost (WhatsApp, Telegram), npm's telegram-test-api,
# an endpoint that checks signatures with the library of Standard Webhooks, and our simulator for the client
# libraries. What is installed lies in the cache folder, pinned with hashes.
#   with-stand-ins.sh COMMAND...      each a line of shell
. "$(dirname "$0")/../lib.sh"

here=$root/e2e/independent
need python3:python3 node:nodejs npm:npm curl:curl
python3 -c 'import ensurepip' 2>/dev/null || need /usr/share/doc/python3-venv:python3-venv

venv=$CACHE/independent/python-$(stamp "$here/requirements.txt")
if [ ! -e "$venv/complete" ]; then
  say "installing the Python stand-ins and clients into $venv"
  rm -rf "$venv"
  python3 -m venv "$venv"
  # What builds the packages that come as sources is pinned as well, so pip may not fetch another.
  sed -n '/^setuptools==/,/# via/p' "$here/requirements.txt" >"$venv/setuptools.txt"
  { "$venv/bin/pip" install -q --require-hashes -r "$venv/setuptools.txt" \
    && "$venv/bin/pip" install -q --require-hashes --no-build-isolation -r "$here/requirements.txt"; } \
    >"$CACHE/logs/pip.log" 2>&1 || die "pip failed, see $CACHE/logs/pip.log"
  touch "$venv/complete"
fi
node=$CACHE/independent/node-$(stamp "$here/package-lock.json")
if [ ! -e "$node/complete" ]; then
  say "installing the Node stand-in into $node"
  rm -rf "$node"
  mkdir -p "$node"
  cp "$here"/package*.json "$node"
  npm ci --prefix "$node" --no-audit --no-fund >"$CACHE/logs/npm.log" 2>&1 || die "npm failed, see $CACHE/logs/npm.log"
  touch "$node/complete"
fi

# Ports that nobody listens on at this moment.
free_ports='import socket; held = [socket.create_server(("127.0.0.1", 0)) for _ in range(10)]; print(*(one.getsockname()[1] for one in held))'
read -r mockpost telegram endpoint simulator clients smtp ftp ftps ftps_implicit sftp < <(python3 -c "$free_ports")
data=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; wait "${pids[@]}" 2>/dev/null || true; rm -rf "$data"' EXIT

export MOCKPOST_URL=http://127.0.0.1:$mockpost TELEGRAM_TEST_API_URL=http://127.0.0.1:$telegram
export TELEGRAM_TEST_API_PORT=$telegram ENDPOINT_PORT=$endpoint ENDPOINT_URL=http://127.0.0.1:$endpoint/
export SIMULATOR_URL=http://127.0.0.1:$simulator SIMULATOR_LISTEN=127.0.0.1:$simulator
export SIMULATOR_ACCESS_TOKEN=token-1 SIMULATOR_APP_SECRET=app-secret-1 SIMULATOR_PHONE_NUMBER_ID=106540352242922
export SIMULATOR_TELEGRAM_BOT_TOKEN=110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawx
export SIMULATOR_WEBHOOK_SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3
export SIMULATOR_WEBHOOK_URL=http://127.0.0.1:$clients/ CLIENTS_PORT=$clients

start() { # NAME COMMAND...
  "${@:2}" >"$CACHE/logs/independent-$1.log" 2>&1 &
  pids+=($!)
}
# mockpost speaks mail and FTP too, which get ports of their own; what it writes goes with $data.
start mockpost env -C "$data" MOCKPOST_HTTP_PORT="$mockpost" MOCKPOST_SMTP_PORT="$smtp" MOCKPOST_FTP_PORT="$ftp" \
  MOCKPOST_FTPS_PORT="$ftps" MOCKPOST_FTPS_IMPLICIT_PORT="$ftps_implicit" MOCKPOST_SFTP_PORT="$sftp" \
  MOCKPOST_STRICT_AUTH=1 "$venv/bin/mockpost"
start telegram env NODE_PATH="$node/node_modules" node "$here/telegram.js"
start endpoint "$venv/bin/python" "$here/endpoint.py"
start simulator "$CARGO_TARGET_DIR/debug/chat4all" simulator
for url in "$MOCKPOST_URL/api/messages" "$TELEGRAM_TEST_API_URL/" "$ENDPOINT_URL" "$SIMULATOR_URL/log"; do
  wait_until 60 "a stand-in answers at $url; see $CACHE/logs/independent-*.log" curl -s --noproxy '*' -o "$data/answer" "$url"
done

cd "$root"
for command; do
  PATH=$venv/bin:$PATH bash -euc "$command"
done
