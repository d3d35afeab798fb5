// The Telegram of npm's telegram-test-api, on TELEGRAM_TEST_API_PORT.
const TelegramServer = require('telegram-test-api');

// Keeps what it took for an hour: longer than any check.
new TelegramServer({ port: Number(process.env.TELEGRAM_TEST_API_PORT), host: '127.0.0.1', storeTimeout: 3600 }).start();
