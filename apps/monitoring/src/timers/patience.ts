/** How long to leave each of several things alone after it failed: doubled with every failure, forgotten with a success. */
export class Patience {
  private readonly waiting = new Map<string, { failures: number; untilMs: number }>();

  constructor(
    private readonly firstMs: number,
    private readonly longestMs: number,
  ) {}

  isDue(name: string, nowMs: number): boolean {
    return nowMs >= (this.waiting.get(name)?.untilMs ?? -Infinity);
  }

  failed(name: string, nowMs: number): { readonly failures: number; readonly waitMs: number } {
    const failures = (this.waiting.get(name)?.failures ?? 0) + 1;
    const waitMs = Math.min(this.firstMs * 2 ** Math.min(failures - 1, 30), this.longestMs);
    this.waiting.set(name, { failures, untilMs: nowMs + waitMs });
    return { failures, waitMs };
  }

  succeeded(name: string): void {
    this.waiting.delete(name);
  }
}
