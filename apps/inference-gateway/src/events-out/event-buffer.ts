// Events that no request waits for: kept in memory within a bound, published in order, tried until the log takes them.
import { encodeMessage } from '@headrace/contracts';
import { setTimeout as delay } from 'node:timers/promises';
import type { BulkMessage, BulkPublisher } from '@headrace/messaging';

export interface EventBufferOptions {
  /** Producer shard of everything published from here. */
  readonly shard: string;
  readonly capacity: number;
  readonly flushEveryMs: number;
  readonly flushAt: number;
  onDropped(count: number): void;
  onFault(error: unknown, waiting: number): void;
}

export type Outgoing<T> = Omit<BulkMessage<T>, 'producer'>;

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 2_000;

export class EventBuffer {
  private waiting: BulkMessage<unknown>[] = [];
  private sequence = 0;
  private timer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> | undefined;
  private closing = false;

  constructor(
    private readonly publisher: BulkPublisher,
    private readonly options: EventBufferOptions,
  ) {}

  /** Events that the log has not acknowledged yet. */
  get size(): number {
    return this.waiting.length;
  }

  /** Never blocks and never throws: what does not fit is dropped and counted. */
  append<T>(event: Outgoing<T>): void {
    if (this.waiting.length >= this.options.capacity) {
      this.options.onDropped(1);
      return;
    }
    this.sequence += 1;
    const message = { ...event, producer: { shard: this.options.shard, sequence: this.sequence } };
    this.waiting.push(message as unknown as BulkMessage<unknown>);
    if (this.flushing) return;
    if (this.waiting.length >= this.options.flushAt) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), this.options.flushEveryMs);
  }

  /** Publishes what is left, for so long at most; the rest is dropped and counted. */
  async close(deadlineMs: number): Promise<void> {
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), deadlineMs);
    const expired = new Promise<void>((resolve) => deadline.signal.addEventListener('abort', () => resolve()));
    while (this.waiting.length > 0 && !deadline.signal.aborted) {
      this.flush();
      await Promise.race([this.flushing, expired]);
    }
    clearTimeout(timer);
    this.closing = true;
    clearTimeout(this.timer);
    if (this.waiting.length > 0) this.options.onDropped(this.waiting.length);
    this.waiting = [];
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.flushing ??= this.publishAll().finally(() => {
      this.flushing = undefined;
      // Less than a batch was left: it may wait for company.
      if (this.waiting.length > 0 && !this.closing) {
        this.timer ??= setTimeout(() => this.flush(), this.options.flushEveryMs);
      }
    });
  }

  private async publishAll(): Promise<void> {
    do {
      const batch = this.waiting.slice(0, this.options.flushAt);
      if (batch.length === 0) return;
      if (!(await this.publishOne(batch))) return;
      // What was appended meanwhile stands behind it.
      this.waiting.splice(0, batch.length);
    } while (this.waiting.length >= this.options.flushAt);
  }

  /** The same batch until it is acknowledged: a repeat keeps its sequence numbers, by which readers drop it. */
  private async publishOne(batch: readonly BulkMessage<unknown>[]): Promise<boolean> {
    let messages = batch;
    for (let backoffMs = FIRST_BACKOFF_MS; !this.closing; backoffMs = Math.min(backoffMs * 2, LONGEST_BACKOFF_MS)) {
      try {
        await this.publisher.publish(messages);
        return true;
      } catch (error) {
        this.options.onFault(error, this.waiting.length);
      }
      // One that can never be written must not hold up the others.
      const encodable = messages.filter(isEncodable);
      if (encodable.length < messages.length) this.options.onDropped(messages.length - encodable.length);
      messages = encodable;
      await delay(backoffMs);
    }
    return false;
  }
}

function isEncodable({ definition, data }: BulkMessage<unknown>): boolean {
  try {
    encodeMessage(definition.codec, data);
    return true;
  } catch {
    return false; // counted as dropped by the caller
  }
}
