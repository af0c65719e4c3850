import { setTimeout as delay } from 'node:timers/promises';

export interface EventuallyOptions {
  /** How long the assertion may fail; default 15 s. */
  readonly timeoutMs?: number;
  /** Between two attempts; default 25 ms. */
  readonly intervalMs?: number;
}

/**
 * Repeats an assertion until it no longer throws, and resolves with what it returned. When the time is over it rejects
 * with the assertion's own last error, so that the report shows what was still wrong.
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 15_000, intervalMs = 25 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() + intervalMs > deadline) {
        if (error instanceof Error) error.message += `\n(still so after ${timeoutMs} ms)`;
        throw error;
      }
    }
    await delay(intervalMs);
  }
}
