"""Our simulator, driven by client libraries that others wrote: what they send is taken, what it answers and
sends back is understood by them. Needs SIMULATOR_URL and the settings that with-stand-ins.sh gave it."""

import asyncio
import hashlib
import hmac
import http.server
import json
import logging
import os
import queue
import threading
import time
import urllib.request
from datetime import datetime, timezone

import httpx
import pywa
import pywa.errors
import telegram
import telegram.error
from pywa import types
from pywa.types.templates import BodyText, TemplateLanguage
from telegram.request import HTTPXRequest
from standardwebhooks.webhooks import Webhook

SIMULATOR = os.environ["SIMULATOR_URL"]
TOKEN = os.environ["SIMULATOR_ACCESS_TOKEN"]
APP_SECRET = os.environ["SIMULATOR_APP_SECRET"]
NUMBER_ID = os.environ["SIMULATOR_PHONE_NUMBER_ID"]
BOT_TOKEN = os.environ["SIMULATOR_TELEGRAM_BOT_TOKEN"]
WEBHOOK_SECRET = os.environ["SIMULATOR_WEBHOOK_SECRET"]
RECEIVER_PORT = int(os.environ["CLIENTS_PORT"])
MARIA = "5562998765432"
PICTURE = "https://files.example/a.jpg"


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(SIMULATOR + path, data, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def log():
    return ask("GET", "/log?limit=10000")["entries"]


class Fault:
    """While it is entered, the simulator misbehaves so."""

    def __init__(self, **fault):
        self.fault = fault

    def __enter__(self):
        ask("PUT", "/fault", self.fault)

    def __exit__(self, *_):
        ask("DELETE", "/fault")


def refused(error, call):
    """The error with which a library names a refusal."""
    try:
        call()
    except error as refusal:
        return refusal
    raise AssertionError(f"not refused with {error.__name__}")


class Receiver(http.server.BaseHTTPRequestHandler):
    """Where the simulator's webhooks go."""

    took = queue.Queue()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.took.put((dict(self.headers), body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def whatsapp():
    session = httpx.Client(trust_env=False)
    client = pywa.WhatsApp(phone_id=NUMBER_ID, token=TOKEN, session=session, app_secret=APP_SECRET,
                           verify_token="v", server=None, validate_updates=True)
    # The library knows one host only.
    session.base_url = f"{SIMULATOR}/v25.0"
    return client


def pywa_sends_texts_replies_files_and_templates(wa):
    first = wa.send_message(to=MARIA, text="Olá, seu pedido saiu")
    assert first.id.startswith("wamid."), first
    wa.send_message(to=MARIA, text="Chegou?", reply_to_message_id=first.id)
    wa.send_image(to=MARIA, image=PICTURE, caption="see")
    wa.send_document(to=MARIA, document=PICTURE, filename="a.pdf", caption="see")
    wa.send_audio(to=MARIA, audio="https://files.example/a.ogg")
    wa.send_video(to=MARIA, video="https://files.example/a.mp4")
    wa.send_template(to=MARIA, name="order_shipped", language=TemplateLanguage.PORTUGUESE_BR,
                     params=[BodyText.params("Maria")])
    taken = [entry["message_id"] for entry in log() if entry["channel"] == "whatsapp"]
    assert len(taken) == 7 and all(taken), log()


def pywa_uploads_a_file_and_sends_it_by_its_id(wa):
    media = wa.upload_media(media=b"jpeg", mime_type="image/jpeg", filename="photo.jpg")
    wa.send_image(to=MARIA, image=media)
    assert log()[-1]["media"] == media.id, log()[-1]


def pywa_marks_messages_as_read_and_shows_typing(wa):
    wa.mark_message_as_read(message_id="wamid.7")
    assert log()[-1]["body"] == "wamid.7" and log()[-1]["answer"]["status"] == 200, log()[-1]
    wa.indicate_typing(message_id="wamid.8")
    assert log()[-1]["body"] == "wamid.8" and log()[-1]["answer"]["status"] == 200, log()[-1]


def pywa_knows_the_refusals(wa):
    def send():
        return wa.send_message(to=MARIA, text="hi")
    expected = [
        (190, pywa.errors.WhatsAppError), (131047, pywa.errors.ReEngagementMessage),
        (131026, pywa.errors.MessageUndeliverable), (131053, pywa.errors.MediaUploadError),
        (130429, pywa.errors.WhatsAppError), (131056, pywa.errors.TooManyMessages), (131009, pywa.errors.InvalidParameter),
    ]
    for code, error in expected:
        with Fault(code=code):
            assert refused(error, send).code == code
    template = refused(pywa.errors.WhatsAppError, lambda: wa.send_template(
        to=MARIA, name="no_such_template", language=TemplateLanguage.ENGLISH_US, params=[]))
    assert isinstance(template, pywa.errors.TemplateNotExists) and template.code == 132001, template


def quiet():
    """All statuses of what was sent before have come. What is due at once goes into one webhook, of which the
    library reads the first status only."""
    accepted = [entry for entry in log() if entry["channel"] == "whatsapp" and entry["message_id"]]
    owed = 3 * len(accepted)
    while owed > 0:
        _, body = Receiver.took.get(timeout=30)
        changes = [change for entry in json.loads(body)["entry"] for change in entry["changes"]]
        owed -= sum(len(change["value"]["statuses"]) for change in changes)
    assert owed == 0, owed


def pywa_takes_the_webhooks(wa):
    statuses = []

    @wa.on_message_status
    def note(_, status: types.MessageStatus):
        statuses.append((status.id, status.status.name))

    quiet()
    sent = wa.send_message(to=MARIA, text="tell me")
    until = time.monotonic() + 30
    while len(statuses) < 3 and time.monotonic() < until:
        headers, body = Receiver.took.get(timeout=30)
        signature = next(value for name, value in headers.items() if name.lower() == "x-hub-signature-256")
        assert wa.webhook_update_validator(update=body, hmac_header=signature) is None
        answer, status = wa.webhook_update_handler(update=body)
        assert status == 200, (status, answer)
        statuses[:] = [told for told in statuses if told[0] == sent.id]
    assert statuses == [(sent.id, name) for name in ("SENT", "DELIVERED", "READ")], statuses
    forged = hmac.new(b"another", body, hashlib.sha256).hexdigest()
    assert wa.webhook_update_validator(update=body, hmac_header=f"sha256={forged}")[1] == 403


class NoGetMe:
    """The bot's connections without its first call, `getMe`, which no connector makes."""

    def __init__(self, bot):
        self.bot = bot

    async def __aenter__(self):
        for request in self.bot._request:
            await request.initialize()

    async def __aexit__(self, *_):
        for request in self.bot._request:
            await request.shutdown()


async def python_telegram_bot_sends_and_knows_the_refusals():
    def request():
        return HTTPXRequest(httpx_kwargs={"trust_env": False})

    bot = telegram.Bot(BOT_TOKEN, base_url=f"{SIMULATOR}/bot", request=request(), get_updates_request=request())
    async with NoGetMe(bot):
        first = await bot.send_message(chat_id=133, text="Olá <b>")
        assert first.message_id >= 1 and first.chat.id == 133, first
        await bot.send_message(chat_id=133, text="yes", reply_parameters=telegram.ReplyParameters(first.message_id))
        await bot.send_photo(chat_id=133, photo=PICTURE, caption="see")
        await bot.send_document(chat_id=133, document="https://files.example/a.pdf")
        expected = [
            (dict(code=403), telegram.error.Forbidden), (dict(code=401), telegram.error.InvalidToken),
            (dict(code=400), telegram.error.BadRequest), (dict(code=409), telegram.error.Conflict),
            (dict(code=429, retryAfter=30), telegram.error.RetryAfter),
            (dict(code=400, migrateToChatId=-1001234), telegram.error.ChatMigrated),
            (dict(status=502), telegram.error.NetworkError),
        ]
        for fault, error in expected:
            with Fault(**fault):
                try:
                    await bot.send_message(chat_id=133, text="hi")
                    raise AssertionError(f"{fault} is no refusal")
                except error as refusal:
                    if error is telegram.error.ChatMigrated:
                        assert refusal.new_chat_id == -1001234


def standardwebhooks_signs_what_an_endpoint_takes():
    body = json.dumps({"type": "message.created", "timestamp": "2026-11-25T12:00:00Z", "data": {
        "message_id": "m", "conversation_id": "c", "recipient_id": "webhook:orders", "content": "olá @"}})
    at = datetime.now(timezone.utc)

    def post(secret):
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())),
                   "webhook-signature": Webhook(secret).sign("msg_1", at, body)}
        return httpx.post(f"{SIMULATOR}/hooks/orders", content=body.encode(), headers=headers, trust_env=False).status_code

    assert post(WEBHOOK_SECRET) == 204
    assert post("whsec_b3RoZXIgc2VjcmV0IG9mIHNvbWVib2R5IGVsc2U=") == 401


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", RECEIVER_PORT), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    wa = whatsapp()
    checks = [
        (pywa_sends_texts_replies_files_and_templates, wa),
        (pywa_uploads_a_file_and_sends_it_by_its_id, wa),
        (pywa_marks_messages_as_read_and_shows_typing, wa),
        (pywa_knows_the_refusals, wa),
        (pywa_takes_the_webhooks, wa),
        (python_telegram_bot_sends_and_knows_the_refusals,),
        (standardwebhooks_signs_what_an_endpoint_takes,),
    ]
    for check, *arguments in checks:
        outcome = check(*arguments)
        if asyncio.iscoroutine(outcome):
            asyncio.run(outcome)
        print(f"test {check.__name__} ... ok", flush=True)
    print(f"test result: ok. {len(checks)} passed; 0 failed", flush=True)


if __name__ == "__main__":
    # The libraries write down every refusal that is asked for here.
    logging.disable(logging.CRITICAL)
    main()
