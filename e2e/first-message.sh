#!/usr/bin/env bash
# The first message: sends one to a customer on WhatsApp through the sample cluster's API, waits until the
# provider's webhooks have said that it was read, and shows the conversation and what to try next.
. "$(dirname "$0")/lib.sh"

api=${CHAT4ALL_API:-http://127.0.0.1:30080}
password=$(cat "$CACHE/demo/password") conversation=first-message recipient=whatsapp:+5562998765432
body=$(mktemp "$CACHE/answer.XXXX")
trap 'rm -f "$body"' EXIT

# call WANTED_STATUS METHOD PATH [JSON]: the answer's body; anything but the wanted status ends the script.
call() {
  local wanted=$1 status
  status=$(curl -sS -m 10 -o "$body" -w '%{http_code}' -X "$2" "$api$3" ${token:+-H "Authorization: Bearer $token"} \
    ${4:+-H 'Content-Type: application/json' -d "$4"}) || die "$api does not answer; kubectl -n $NAMESPACE get pods"
  [ "$status" = "$wanted" ] || die "$2 $3 was answered with $status: $(cat "$body")"
  cat "$body"
}

ready() { curl -fsS -m 3 "$api/readyz"; }
wait_until 60 "$api is ready" ready || { diagnose "$NAMESPACE"; exit 1; }
answer=$(call 200 POST /auth/token "$(jq -nc --arg p "$password" '{username: "demo", password: $p}')")
token=$(jq -r .access_token <<<"$answer")
answer=$(call 202 POST /v1/messages "$(jq -nc --arg c $conversation --arg r $recipient --arg t "Hello from Chat4All, $(date +%H:%M:%S)" \
  '{conversation_id: $c, recipient_id: $r, content: $t}')")
id=$(jq -r .message_id <<<"$answer")
say "accepted: message $id"

is_read() { call 200 GET "/v1/conversations/$conversation/messages?limit=20&offset=0" | jq -e --arg id "$id" '.messages[] | select(.message_id == $id and .status == "READ")'; }
wait_until 90 "message $id is read" is_read || {
  jq . "$body" >&2
  echo "What the provider simulator received last:" >&2
  curl -s -m 5 'http://127.0.0.1:30090/log?limit=1000' | jq -c '.entries[-3:][]' >&2 || true
  diagnose "$NAMESPACE"
  exit 1
}

# The same programs as a person would type it.
cat <<END

Conversation $conversation
$(jq -r --arg id "$id" 'def clock: if . == null then "-" else .[11:23] end;
    .messages | reverse[] | "  \(.created_at | clock)  \(.sender_id): \(.content)\(if .message_id == $id then "   <- this one" else "" end)",
    (.deliveries[] | "      to \(.recipient_id) by \(.connector): \(.status)  (accepted \(.accepted_at | clock), sent \(.sent_at | clock), delivered \(.delivered_at | clock), read \(.read_at | clock))")' "$body")

Send another one:
  TOKEN=\$(curl -s $api/auth/token -H 'Content-Type: application/json' -d '{"username":"demo","password":"$password"}' | jq -r .access_token)
  curl -s $api/v1/messages -H "Authorization: Bearer \$TOKEN" -H 'Content-Type: application/json' \\
    -d '{"conversation_id":"$conversation","recipient_id":"$recipient","content":"And another one"}'
  curl -s "$api/v1/conversations/$conversation/messages?limit=5&offset=0" -H "Authorization: Bearer \$TOKEN" | jq

What the provider received, and ten seconds of a provider that is down:
  curl -s http://127.0.0.1:30090/log | jq
  curl -s -X PUT http://127.0.0.1:30090/fault -H 'Content-Type: application/json' -d '{"status":503,"forSeconds":10}'

Look around:
  export KUBECONFIG=$KUBECONFIG PATH=$CACHE/bin:\$PATH
  kubectl -n $NAMESPACE get c4a,pods
  kubectl -n $NAMESPACE delete pod -l app.kubernetes.io/component=router      # and nothing is lost

Remove everything: make down
END
