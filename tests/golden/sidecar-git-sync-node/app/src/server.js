// Answers HTTP requests until it is told to stop, then finishes those under way.

import { createServer } from 'node:http';
import { hostname } from 'node:os';

/** Makes a service that is not listening yet; `log` is told of every request but the probes'. */
export function createService(config, log = () => {}) {
  let draining = false;

  const server = createServer((request, response) => {
    const started = process.hrtime.bigint();
    const { status, type, body } = answer(request);
    response.statusCode = status;
    response.setHeader('Content-Type', type);
    response.setHeader('Content-Length', Buffer.byteLength(body));
    if (draining) {
      response.setHeader('Connection', 'close');
    }
    response.end(request.method === 'HEAD' ? undefined : body);
    request.resume();
    if (request.url !== '/livez' && request.url !== '/readyz') {
      const milliseconds = Number(process.hrtime.bigint() - started) / 1e6;
      log('info', 'request', { method: request.method, path: request.url, status, milliseconds });
    }
  });

  function answer({ method, url }) {
    const text = (status, body) => ({ status, type: 'text/plain', body });
    if (method !== 'GET' && method !== 'HEAD') {
      return text(405, 'method not allowed\n');
    }
    switch (url.split('?')[0]) {
      case '/': {
        const page = { greeting: config.greeting, host: hostname() };
        return { status: 200, type: 'application/json', body: `${JSON.stringify(page)}\n` };
      }
      case '/livez':
        return text(200, 'ok\n');
      case '/readyz':
        return draining ? text(503, 'draining\n') : text(200, 'ok\n');
      default:
        return text(404, 'not found\n');
    }
  }

  return {
    /** Resolves to the address once the port is open. */
    listen() {
      return new Promise((resolve, reject) => {
        server.once('error', reject);
        server.listen({ host: config.host, port: config.port }, () => resolve(server.address()));
      });
    },

    /** Answers that it isn't ready any more. */
    startDraining() {
      draining = true;
    },

    /** Stops accepting, then waits for the requests under way; false when the grace ran out. */
    drain() {
      draining = true;
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          resolve(false);
          server.closeAllConnections();
        }, config.shutdownGrace);
        server.close(() => {
          clearTimeout(timer);
          resolve(true);
        });
        server.closeIdleConnections();
      });
    },
  };
}
