// Reads the service's parameters from its environment.

const MILLISECONDS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** A parameter has a value that makes no sense. */
export class ConfigError extends Error {}

/**
 * Checks every parameter; an empty one counts as not set.
 * Names, defaults and units are the container's interface.
 */
export function configFrom(env) {
  return {
    host: env.HOST || '0.0.0.0',
    port: port('PORT', env.PORT || '8080'),
    greeting: env.GREETING || 'Hello',
    shutdownGrace: duration('SHUTDOWN_GRACE', env.SHUTDOWN_GRACE || '10s'), // milliseconds
  };
}

function port(name, text) {
  if (/^[0-9]{1,5}$/.test(text) && Number(text) <= 65535) {
    return Number(text);
  }
  throw new ConfigError(`${name} must be a port from 0 to 65535, not ${JSON.stringify(text)}`);
}

function duration(name, text) {
  const match = /^([0-9]{1,9})(ms|s|m|h)$/.exec(text);
  if (match) {
    return Number(match[1]) * MILLISECONDS[match[2]];
  }
  throw new ConfigError(`${name} must be a duration such as 500ms, 10s or 1m, not ${JSON.stringify(text)}`);
}
