import { setTimeout as delay } from 'node:timers/promises';
import { EmbeddedDependencyError } from './embedded-error';
import type { ManagedProcess } from './managed-process';

const POLL_MS = 25;

/** Waits until `ready` answers true; fails when the process ends first or the time is over, with its last log lines. */
export async function waitUntilReady(
  name: string,
  child: ManagedProcess,
  ready: () => Promise<boolean>,
  { logFile, timeoutMs }: { readonly logFile: string; readonly timeoutMs: number },
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await ready())) {
    const late = Date.now() > deadline;
    if (!late && !child.hasExited) {
      await delay(POLL_MS);
      continue;
    }
    const reason = late ? `was not ready within ${timeoutMs / 1000} s` : 'ended while it started';
    const lines = await child.lastLogLines();
    await child.kill();
    throw new EmbeddedDependencyError('start-failed', `${name} ${reason}; its log ${logFile} ends with:\n${lines}`);
  }
}
