/** Bytes that may be held at once. A budget may be part of a larger one, which must agree. */
export class ByteBudget {
  private used = 0;

  constructor(
    private readonly limit: number,
    private readonly whole?: ByteBudget,
  ) {}

  get usedBytes(): number {
    return this.used;
  }

  /** False: nothing was taken. */
  take(bytes: number): boolean {
    if (this.used + bytes > this.limit) return false;
    if (this.whole && !this.whole.take(bytes)) return false;
    this.used += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.used -= bytes;
    this.whole?.giveBack(bytes);
  }
}
