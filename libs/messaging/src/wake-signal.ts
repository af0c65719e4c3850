/** A wait that can be cut short, also by a wake that came just before it. */
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
    if (this.woken) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.release = resolve;
      timer = setTimeout(resolve, ms);
    });
    clearTimeout(timer);
    this.release = undefined;
  }
}
