/** Ends of calls, in slots of ten milliseconds: a timer for each call would cost more than many calls do. */
export interface Expiring {
  /** Kept by Deadlines. */
  slot: number;
  expire(): void;
}

const SLOT_MS = 10;

export class Deadlines {
  private readonly slots = new Map<number, Set<Expiring>>();
  private count = 0;
  private next = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly now: () => number) {}

  /** `at` in milliseconds of `now`. Never early; late by at most a slot, when the event loop is free. */
  add(item: Expiring, at: number): void {
    const slot = Math.max(Math.ceil(at / SLOT_MS), this.next);
    item.slot = slot;
    let items = this.slots.get(slot);
    if (!items) this.slots.set(slot, (items = new Set()));
    items.add(item);
    this.count += 1;
    if (this.timer) return;
    this.next = Math.floor(this.now() / SLOT_MS);
    this.timer = setInterval(() => this.tick(), SLOT_MS);
    this.timer.unref();
  }

  remove(item: Expiring): void {
    const items = this.slots.get(item.slot);
    if (!items?.delete(item)) return;
    if (items.size === 0) this.slots.delete(item.slot);
    this.forget();
  }

  private tick(): void {
    const last = Math.floor(this.now() / SLOT_MS);
    // After a pause of the process there may be more slots to pass than slots that hold something.
    const due =
      last - this.next < this.slots.size
        ? Array.from({ length: Math.max(0, last - this.next + 1) }, (_, index) => this.next + index)
        : [...this.slots.keys()].filter((slot) => slot <= last);
    this.next = last + 1;
    for (const slot of due) {
      const items = this.slots.get(slot);
      if (!items) continue;
      this.slots.delete(slot);
      for (const item of items) {
        this.forget();
        item.expire();
      }
    }
  }

  private forget(): void {
    this.count -= 1;
    if (this.count > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}
