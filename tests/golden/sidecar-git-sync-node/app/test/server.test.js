import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';

import { createService } from '../src/server.js';

const config = { host: '127.0.0.1', port: 0, greeting: 'Hi', shutdownGrace: 5000 };

async function serve(t) {
  const service = createService(config);
  const { port } = await service.listen();
  t.after(() => service.drain());
  const fetchPage = (path, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { service, port, fetchPage };
}

test('greets', async (t) => {
  const { fetchPage } = await serve(t);
  const response = await fetchPage('/?from=test');
  assert.equal(response.status, 200);
  assert.equal((await response.json()).greeting, 'Hi');
});

test('is live, and ready until it drains', async (t) => {
  const { service, fetchPage } = await serve(t);
  assert.equal((await fetchPage('/livez')).status, 200);
  assert.equal((await fetchPage('/readyz')).status, 200);
  service.startDraining();
  const response = await fetchPage('/readyz');
  assert.equal(response.status, 503);
  assert.equal(await response.text(), 'draining\n');
  assert.equal((await fetchPage('/livez')).status, 200);
});

test('HEAD has no body', async (t) => {
  const { fetchPage } = await serve(t);
  const response = await fetchPage('/livez', 'HEAD');
  assert.equal(response.status, 200);
  assert.equal(await response.text(), '');
});

test("doesn't know other pages and methods", async (t) => {
  const { fetchPage } = await serve(t);
  assert.equal((await fetchPage('/nothing')).status, 404);
  assert.equal((await fetchPage('/', 'DELETE')).status, 405);
});

test('drain waits for the request under way', async (t) => {
  const { service, port } = await serve(t);
  const socket = connect(port, '127.0.0.1');
  socket.setEncoding('utf8');
  let received = '';
  socket.on('data', (text) => (received += text));
  const ended = new Promise((resolve) => socket.on('close', resolve));
  // Once the answer to the first request is here, the second one is under way: only its end is missing.
  socket.write('GET /livez HTTP/1.1\r\nHost: test\r\n\r\nGET / HTTP/1.1\r\nHost: test\r\n');
  while (!received.includes('ok\n')) {
    await new Promise((resolve) => socket.once('data', resolve));
  }
  const drained = service.drain();
  socket.write('\r\n');
  assert.equal(await drained, true);
  await ended;
  assert.match(received, /"greeting":"Hi"/);
});
