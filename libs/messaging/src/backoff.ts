/** Exponential, with jitter over the upper half so that many waiters do not come back together. `attempt` counts from 1. */
export function backoffMs(attempt: number, minMs: number, maxMs: number, random: () => number = Math.random): number {
  const full = Math.min(maxMs, minMs * 2 ** Math.min(attempt - 1, 30));
  return full / 2 + (full / 2) * random();
}
