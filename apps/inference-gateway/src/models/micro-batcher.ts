// Requests that wait are run together: one call of the runtime costs more than a row of a small model. What would be late
// is refused when it comes, and what nobody waits for any more is not run.
import { performance } from 'node:perf_hooks';
import { DomainError } from '@headrace/contracts';
import { checkRows, emptyLike, sliceRows, together, type CollectedRows } from './batch-rows';
import type { LoopShare, RunLane } from './loop-share';
import { QueueLimit } from './queue-limit';
import { copyInto, type Outputs, type PackedRows, type RowModel } from './tensors';

export type InferenceDone = (error: unknown, outputs: Outputs | undefined) => void;

export interface BatcherOptions {
  /** Rows of one run; larger requests take several. */
  readonly maxBatchRows: number;
  /** Rows that may wait, all requests together; fewer when the queue does not empty. */
  readonly maxQueuedRows: number;
  /** See QueueLimitOptions. */
  readonly targetDelayMs?: number;
  /** Microseconds of a row in a full run, as measured before; followed from then on. */
  readonly rowMicros?: number;
  /** Of the process in whose event loop the model runs; undefined: it runs in another one. */
  readonly share?: LoopShare | undefined;
  /** After each run: its rows, and the seconds that the model took. */
  readonly onBatch?: (rows: number, seconds: number) => void;
  /** Requests that were refused or left before they were run. */
  readonly onTurnedAway?: (reason: TurnedAway) => void;
}

export type TurnedAway = 'queue_full' | 'deadline_unreachable' | 'deadline_passed' | 'cancelled';

/** Who waits for an answer: a server call has this form. */
export interface Caller {
  /** True once nobody waits for the answer any more. */
  readonly cancelled: boolean;
}

interface Waiting {
  readonly packed: PackedRows;
  readonly rows: number;
  readonly sinceMs: number;
  readonly deadlineMs: number;
  readonly caller: Caller | undefined;
  /** Some of its rows are being run, or were. */
  begun: boolean;
  /** Rows that were taken for a run. */
  taken: number;
  /** It was answered, or has failed. */
  settled: boolean;
  /** Filled piece by piece when one run was not enough. */
  collected: CollectedRows | undefined;
  readonly done: InferenceDone;
}

/** Rows [from, to) of one request, at `at` of a run. */
interface Piece {
  readonly waiting: Waiting;
  readonly from: number;
  readonly to: number;
  readonly at: number;
}

const MAX_BATCH_BYTES = 16 * 1_048_576;
const MAX_QUEUED_BYTES = 256 * 1_048_576;
const DEFAULT_TARGET_DELAY_MS = 50;
/** Weight of the newest run in the mean cost of a row. */
const NEWEST = 0.1;
/** A run that stood still with the machine counts as no more than so many times the mean. */
const OUTLIER = 2;
/** Smaller runs say more of the event loop than of the rows. */
const TELLING_ROWS = 16;

export class MicroBatcher {
  private queue: Waiting[] = [];
  private rowsQueued = 0;
  private draining = false;
  private rowMicros: number;
  private readonly lane: RunLane | undefined;
  private readonly limit: QueueLimit;
  private readonly maxBatchRows: number;
  private readonly maxQueuedRows: number;
  private readonly targetDelayMs: number;

  constructor(
    private readonly model: RowModel,
    private readonly options: BatcherOptions,
  ) {
    // Wide rows: memory is what is bounded.
    this.maxBatchRows = Math.min(options.maxBatchRows, rowsWithin(MAX_BATCH_BYTES, model));
    this.maxQueuedRows = Math.min(options.maxQueuedRows, rowsWithin(MAX_QUEUED_BYTES, model));
    this.rowMicros = options.rowMicros ?? 0;
    this.targetDelayMs = options.targetDelayMs ?? DEFAULT_TARGET_DELAY_MS;
    this.lane = options.share?.lane();
    this.limit = new QueueLimit({
      most: this.maxQueuedRows,
      least: Math.min(this.maxBatchRows, this.maxQueuedRows),
      targetMs: this.targetDelayMs,
    });
  }

  get queuedRows(): number {
    return this.rowsQueued;
  }

  /** Rows that may wait now. */
  get queueLimit(): number {
    return this.limit.rows;
  }

  /**
   * The rows' buffers are not kept beyond the answer. `deadlineMs` is a moment of
   * performance.now(). A full queue and a deadline that cannot be met give `done` an `exhausted` error at once; a request
   * whose caller has gone or whose deadline has passed is never run. One that fails in company is tried alone, so that it
   * cannot fail others.
   */
  submit(packed: PackedRows, done: InferenceDone, deadlineMs = Infinity, caller?: Caller): void {
    const { rows } = packed;
    const nowMs = performance.now();
    const refusal = this.refusalOf(rows, nowMs, deadlineMs);
    if (refusal) {
      done(refusal, undefined);
      return;
    }
    this.queue.push({
      packed,
      rows,
      sinceMs: nowMs,
      deadlineMs,
      caller,
      begun: false,
      taken: 0,
      settled: false,
      collected: undefined,
      done,
    });
    this.rowsQueued += rows;
    if (this.draining) return;
    this.draining = true;
    // After the sockets that are readable now were read: their requests come along.
    setImmediate(() => void this.drain());
  }

  /** For models whose only input is FP32. */
  infer(features: Float32Array, rows: number, deadlineMs = Infinity, caller?: Caller): Promise<Outputs> {
    return new Promise((resolve, reject) => {
      const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
      const done: InferenceDone = (error, outputs) => (outputs ? resolve(outputs) : reject(error));
      this.submit({ rows, bytes, strings: [] }, done, deadlineMs, caller);
    });
  }

  private refusalOf(rows: number, nowMs: number, deadlineMs: number): DomainError | undefined {
    if (this.isFull(rows)) {
      this.limit.press();
      this.leaveGone(nowMs);
      if (this.isFull(rows)) {
        this.options.onTurnedAway?.('queue_full');
        const allowed = Math.min(this.limit.rows, this.maxQueuedRows);
        return new DomainError(
          'exhausted',
          'queue_full',
          `${this.rowsQueued} rows wait for this version and ${allowed} may: try again later`,
        );
      }
    }
    if (deadlineMs === Infinity) return undefined;
    const waitMs = ((this.rowsQueued + rows) * this.rowMicros) / 1_000;
    if (nowMs + waitMs <= deadlineMs) return undefined;
    this.options.onTurnedAway?.('deadline_unreachable');
    return new DomainError(
      'exhausted',
      'deadline_unreachable',
      `${waitMs.toFixed(1)} ms of work stand before the answer, the deadline is in ${(deadlineMs - nowMs).toFixed(1)} ms`,
    );
  }

  /**
   * A request larger than the limit gets in when nothing waits: the fixed bound is its own. Rows that are run within the
   * target are never too many: on a busy machine a burst of them waits for the processor, which refusing would not free.
   */
  private isFull(rows: number): boolean {
    const after = this.rowsQueued + rows;
    if (after > this.maxQueuedRows) return true;
    return after > this.limit.rows && this.rowsQueued > 0 && (after * this.rowMicros) / 1_000 > this.targetDelayMs;
  }

  /** Those that nobody waits for make room. One that is being run in parts stays until its run is over. */
  private leaveGone(nowMs: number): void {
    const gone = this.queue.filter((waiting) => !waiting.begun && isGone(waiting, nowMs));
    if (gone.length === 0) return;
    const left = new Set(gone);
    this.queue = this.queue.filter((waiting) => !left.has(waiting));
    for (const waiting of gone) this.turnAway(waiting);
  }

  private turnAway(waiting: Waiting): void {
    this.rowsQueued -= waiting.rows;
    const reason = waiting.caller?.cancelled === true ? 'cancelled' : 'deadline_passed';
    this.options.onTurnedAway?.(reason);
    const message =
      reason === 'cancelled' ? 'the caller has cancelled it' : 'its deadline passed while it waited for its turn';
    waiting.done(new DomainError('exhausted', reason, message), undefined);
  }

  private async drain(): Promise<void> {
    while (this.queue.length > 0) {
      const runs: Piece[][] = [];
      for (let left = this.lane?.runs ?? 1; left > 0 && this.queue.length > 0; left -= 1) {
        const pieces = this.takePieces();
        if (pieces.length > 0) runs.push(pieces);
      }
      if (runs.length === 0) continue;
      this.lane?.before();
      // The runtime makes them one after the other in the same turn of the loop.
      const errors = await Promise.all(runs.map((pieces) => this.run(pieces)));
      this.lane?.after(runs.length, this.queue.length > 0);
      for (const [index, error] of errors.entries()) {
        if (error !== undefined) await this.recover(runs[index] ?? [], error);
      }
    }
    this.draining = false;
  }

  private async recover(pieces: readonly Piece[], error: unknown): Promise<void> {
    // A process that is down is down for each of them, and a row that hangs must not be run once more for each.
    if (pieces.length === 1 || error instanceof DomainError) this.fail(pieces, error);
    else await this.runAlone(pieces);
  }

  private async runAlone(pieces: readonly Piece[]): Promise<void> {
    for (const piece of pieces) {
      const alone = [{ ...piece, at: 0 }];
      const error = await this.run(alone);
      if (error !== undefined) this.fail(alone, error);
    }
  }

  /** Takes whole requests as long as they fit; the last one may be taken in part and stays at the head of the queue. */
  private takePieces(): Piece[] {
    const pieces: Piece[] = [];
    const nowMs = performance.now();
    let rows = 0;
    let taken = 0;
    let youngestMs = -Infinity;
    let gone: Waiting[] | undefined;
    for (const waiting of this.queue) {
      if (isGone(waiting, nowMs)) {
        taken += 1;
        (gone ??= []).push(waiting);
        continue;
      }
      waiting.begun = true;
      const from = waiting.taken;
      const to = Math.min(waiting.rows, from + this.maxBatchRows - rows);
      pieces.push({ waiting, from, to, at: rows });
      waiting.taken = to;
      if (waiting.sinceMs > youngestMs) youngestMs = waiting.sinceMs;
      rows += to - from;
      if (to === waiting.rows) taken += 1;
      if (rows === this.maxBatchRows) break;
    }
    this.queue.splice(0, taken);
    if (gone) for (const waiting of gone) this.turnAway(waiting);
    // A queue that this run empties is no standing one, however late the machine came to it.
    if (rows > 0) this.limit.observe(rows, this.queue.length === 0 ? 0 : nowMs - youngestMs, nowMs);
    return pieces;
  }

  /** Runs and hands out; an error is returned, nobody is told yet. */
  private async run(pieces: readonly Piece[]): Promise<unknown> {
    const last = pieces.at(-1);
    if (!last) return undefined;
    const rows = last.at + last.to - last.from;
    const packed = together(pieces, rows, this.model);
    let outputs: Outputs;
    const startedMs = performance.now();
    try {
      outputs = await this.model.run(packed);
      checkRows(outputs, rows);
    } catch (error) {
      return error ?? new Error('the model failed without an error');
    }
    // A loop that falls behind must not take its rows for dear: it would refuse what it could answer as fast.
    const tookMs = this.lane?.lap() ?? performance.now() - startedMs;
    if (rows >= TELLING_ROWS || rows === this.maxBatchRows) {
      const micros = (tookMs * 1_000) / rows;
      this.rowMicros +=
        (this.rowMicros > 0 ? Math.min(micros, OUTLIER * this.rowMicros) - this.rowMicros : micros) * NEWEST;
    }
    this.options.onBatch?.(rows, tookMs / 1_000);
    for (const piece of pieces) this.handOut(piece, outputs, rows);
    return undefined;
  }

  private handOut({ waiting, from, to, at }: Piece, outputs: Outputs, rows: number): void {
    if (waiting.settled) return; // another part of it has failed
    const own = from === 0 && to === rows && waiting.rows === rows ? outputs : sliceRows(outputs, rows, at, to - from);
    if (to - from === waiting.rows) {
      this.answer(waiting, own);
      return;
    }
    waiting.collected ??= emptyLike(own, to - from, waiting.rows);
    for (const name in own) {
      const [part, all] = [own[name], waiting.collected[name]];
      if (part && all) copyInto(all.data, part.data, (all.data.length / waiting.rows) * from);
    }
    if (to === waiting.rows) this.answer(waiting, waiting.collected);
  }

  private answer(waiting: Waiting, outputs: Outputs): void {
    this.rowsQueued -= waiting.rows;
    waiting.settled = true;
    waiting.done(undefined, outputs);
  }

  private fail(pieces: readonly Piece[], error: unknown): void {
    for (const { waiting } of pieces) {
      if (waiting.settled) continue;
      const index = this.queue.indexOf(waiting);
      if (index >= 0) this.queue.splice(index, 1);
      this.rowsQueued -= waiting.rows;
      waiting.settled = true;
      waiting.done(error, undefined);
    }
  }
}

function isGone({ caller, deadlineMs }: Waiting, nowMs: number): boolean {
  return deadlineMs <= nowMs || caller?.cancelled === true;
}

function rowsWithin(bytes: number, { rowBytes }: RowModel): number {
  return Math.max(1, Math.floor(bytes / Math.max(1, rowBytes)));
}
