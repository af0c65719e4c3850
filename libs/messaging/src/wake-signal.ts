/**
 * A wait that can be cut short, also by a wake that came just before it. A wake counts for one wait: who waits after a fault
 * must not be sent on again and again by what woke it before.
 */
export class WakeSignal {
  private woken = false;
  private release: (() => void) | undefined;

  wake(): void {
    this.woken = true;
    this.release?.();
  }

  /** Wakes from before this moment do not count any more. */
  reset(): void {
    this.woken = false;
  }

  async wait(ms: number): Promise<void> {
    if (this.woken) {
      this.woken = false;
      return;
    }
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.release = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.release = undefined;
    this.woken = false;
  }
}
