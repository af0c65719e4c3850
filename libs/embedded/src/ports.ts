import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import { EmbeddedDependencyError } from './embedded-error';

// Below the ranges from which systems take the ports of outgoing connections (Linux 32768, others 49152): such a port
// could be taken by a passing connection between a crash and the restart on the same port.
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_000;

/** True when a listener can be opened on 127.0.0.1 at this port now. */
export function portIsFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}

/** A free port on 127.0.0.1 that is not among `taken`; `preferred` first when it is free. */
export async function freePort(preferred?: number, taken: readonly number[] = []): Promise<number> {
  if (preferred !== undefined && !taken.includes(preferred) && (await portIsFree(preferred))) return preferred;
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT);
    if (!taken.includes(port) && (await portIsFree(port))) return port;
  }
  throw new EmbeddedDependencyError(
    'port-taken',
    `No free port was found between ${LOWEST_PORT} and ${HIGHEST_PORT} on 127.0.0.1: end some of the programs that listen there.`,
  );
}

/** Refuses a port somebody listens on. `what` names the dependency in the message. */
export async function requireFreePort(port: number, what: string): Promise<void> {
  if (await portIsFree(port)) return;
  throw new EmbeddedDependencyError(
    'port-taken',
    `${what} cannot listen on port ${port} because another program already does: end that program or choose another port.`,
  );
}
