// Marks what is in hand where a second thread sees it: when the event loop itself hangs, that thread counts the try and
// ends the process. See hang-watchdog.ts and docs/adr/0018-hardening-the-runner.md.
import { url as debuggerUrl } from 'node:inspector';
import { extname, join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DataSource } from 'typeorm';
import type { MessagingLogger } from './logger';
import type { PartitionId } from './positions';

/** More calls at once than any service makes; what finds no slot is not watched. */
export const HANDS = 64;
/** Of one slot, as float64: number of the partition (0: empty), first offset, offset behind the last. */
export const HAND_FIELDS = 3;

/** Records of one partition that are being handled: from ≤ offset < to. */
export interface Hand extends PartitionId {
  readonly from: number;
  readonly to: number;
  /** It was in hand when a process died: nothing else may be in hand now, so that the next death tells who did it. */
  readonly alone: boolean;
}

/** How the second thread reaches the service's own tables. All of it must be plain values. */
export interface WatchdogConnection {
  readonly connectionString?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: unknown;
  /** Holds the search_path. */
  readonly options?: string;
}

export interface WatchdogData {
  readonly beats: SharedArrayBuffer;
  readonly hands: SharedArrayBuffer;
  readonly hangMs: number;
  readonly service: string;
  readonly connection: WatchdogConnection;
}

/** Tells the second thread which partition a number stands for. */
export interface NamedPartition extends PartitionId {
  readonly number: number;
}

export class HangWatch {
  private readonly beats = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  private readonly hands = new SharedArrayBuffer(HANDS * HAND_FIELDS * Float64Array.BYTES_PER_ELEMENT);
  private readonly beat = new Int32Array(this.beats);
  private readonly slots = new Float64Array(this.hands);
  private readonly free = Array.from({ length: HANDS }, (_, slot) => slot * HAND_FIELDS);
  private readonly numbers = new Map<string, NamedPartition>();
  private worker: Worker | undefined;
  private timer: NodeJS.Timeout | undefined;
  private running = 0;
  /** Closed while something is handled alone. */
  private gate: Promise<void> | undefined;
  private lastLeft: (() => void) | undefined;

  constructor(
    private readonly service: string,
    /** Longest time the event loop may stand still; 0: no second thread. */
    private readonly hangMs: number,
    private readonly logger: MessagingLogger,
  ) {}

  /** Begins to watch. The thread alone does not keep the process alive. */
  start(dataSource: DataSource): void {
    // Run from sources (specs) there is no compiled thread to start; a breakpoint is no hang.
    if (this.hangMs === 0 || this.worker || extname(__filename) !== '.js' || debuggerUrl() !== undefined) return;
    const { beats, hands, hangMs, service } = this;
    const workerData: WatchdogData = { beats, hands, hangMs, service, connection: connectionOf(dataSource) };
    const worker = new Worker(join(__dirname, 'hang-watchdog.js'), {
      workerData,
      // Not the service's own preloads and flags: the thread is small and must start whatever they are.
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: 32 },
    });
    worker.unref();
    worker.on('error', (error) => this.logger.error({ stack: error.stack }, 'the watchdog of the event loop failed'));
    this.worker = worker;
    for (const named of this.numbers.values()) worker.postMessage(named);
    this.timer = setInterval(() => Atomics.add(this.beat, 0, 1), Math.max(10, Math.min(500, hangMs / 10)));
    this.timer.unref();
  }

  async stop(): Promise<void> {
    const { worker } = this;
    this.worker = undefined;
    // First the thread: without a beat it would take the end for a hang.
    await worker?.terminate();
    clearInterval(this.timer);
  }

  /** Runs `work` while the thread knows what is in hand. */
  async during<R>(hand: Hand, work: () => Promise<R>): Promise<R> {
    if (hand.alone) return this.aloneDuring(hand, work);
    while (this.gate) await this.gate;
    this.running += 1;
    const slot = this.take(hand);
    try {
      return await work();
    } finally {
      this.leave(slot);
      this.running -= 1;
      if (this.running === 0) this.lastLeft?.();
    }
  }

  private async aloneDuring<R>(hand: Hand, work: () => Promise<R>): Promise<R> {
    while (this.gate) await this.gate;
    let open: () => void = () => undefined;
    this.gate = new Promise((resolve) => {
      open = resolve;
    });
    try {
      if (this.running > 0) {
        await new Promise<void>((resolve) => {
          this.lastLeft = resolve;
        });
      }
      const slot = this.take(hand);
      try {
        return await work();
      } finally {
        this.leave(slot);
      }
    } finally {
      this.lastLeft = undefined;
      this.gate = undefined;
      open();
    }
  }

  private take(hand: Hand): number | undefined {
    const slot = this.free.pop();
    if (slot === undefined) return undefined;
    this.slots[slot + 1] = hand.from;
    this.slots[slot + 2] = hand.to;
    this.slots[slot] = this.numberOf(hand);
    return slot;
  }

  private leave(slot: number | undefined): void {
    if (slot === undefined) return;
    this.slots[slot] = 0;
    this.free.push(slot);
  }

  private numberOf({ group, topic, partition }: PartitionId): number {
    const key = `${group}\n${topic}\n${partition}`;
    const known = this.numbers.get(key);
    if (known) return known.number;
    const named = { number: this.numbers.size + 1, group, topic, partition };
    this.numbers.set(key, named);
    this.worker?.postMessage(named);
    return named.number;
  }
}

function connectionOf(dataSource: DataSource): WatchdogConnection {
  const { options } = dataSource;
  if (options.type !== 'postgres') throw new TypeError(`messaging needs a Postgres DataSource, not ${options.type}`);
  const { url, host, port, username, password, database, ssl } = options;
  const extra = options.extra as { readonly options?: string } | undefined;
  if (typeof password === 'function') {
    throw new TypeError('the DataSource has a function for its password: the watchdog needs a value');
  }
  return {
    ...(url === undefined ? {} : { connectionString: url }),
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(username === undefined ? {} : { user: username }),
    ...(password === undefined ? {} : { password }),
    ...(database === undefined ? {} : { database }),
    ...(ssl === undefined ? {} : { ssl }),
    ...(extra?.options === undefined ? {} : { options: extra.options }),
  };
}
