import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ConfigError, configFrom } from '../src/config.js';

const defaults = { host: '0.0.0.0', port: 8080, greeting: 'Hello', shutdownGrace: 10_000 };

test('defaults', () => {
  assert.deepEqual(configFrom({}), defaults);
});

test('an empty parameter counts as not set', () => {
  assert.deepEqual(configFrom({ PORT: '', SHUTDOWN_GRACE: '' }), defaults);
});

test('every parameter can be given', () => {
  const env = { HOST: '127.0.0.1', PORT: '9000', GREETING: 'Hi', SHUTDOWN_GRACE: '500ms' };
  assert.deepEqual(configFrom(env), { host: '127.0.0.1', port: 9000, greeting: 'Hi', shutdownGrace: 500 });
});

test('units', () => {
  for (const [text, milliseconds] of [['250ms', 250], ['2s', 2000], ['3m', 180_000], ['1h', 3_600_000]]) {
    assert.equal(configFrom({ SHUTDOWN_GRACE: text }).shutdownGrace, milliseconds);
  }
});

test('nonsense is refused by name', () => {
  for (const [name, value] of [['PORT', 'http'], ['PORT', '65536'], ['PORT', '-1'], ['PORT', ' 80'], ['SHUTDOWN_GRACE', '10']]) {
    assert.throws(() => configFrom({ [name]: value }), (error) => error instanceof ConfigError && error.message.includes(name));
  }
});
