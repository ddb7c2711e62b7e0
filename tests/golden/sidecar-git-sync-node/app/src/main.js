// Runs the service: `node src/main.js`.

import { configFrom } from './config.js';
import { log } from './log.js';
import { createService } from './server.js';

try {
  const service = createService(configFrom(process.env), log);
  const { address, port } = await service.listen();
  log('info', 'listening', { host: address, port });

  const stop = async () => {
    log('info', 'draining');
    if (!(await service.drain())) {
      log('warn', 'requests were still under way when the grace ran out');
    }
    log('info', 'stopped');
    process.exit(0);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  log('error', error.message);
  process.exit(2);
}
