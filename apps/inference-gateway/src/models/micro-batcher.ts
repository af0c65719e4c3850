// Requests that wait are run together: one call of the runtime costs more than a row of a small model.
import { performance } from 'node:perf_hooks';
import { DomainError } from '@headrace/contracts';
import {
  allocate,
  copyInto,
  slice,
  type NumericData,
  type Outputs,
  type PackedRows,
  type RowModel,
  type RowTensor,
} from './tensors';

export type InferenceDone = (error: unknown, outputs: Outputs | undefined) => void;

export interface BatcherOptions {
  /** Rows of one run; larger requests take several. */
  readonly maxBatchRows: number;
  /** Rows that may wait, all requests together. */
  readonly maxQueuedRows: number;
  /** After each run: its rows, and the seconds that the model took. */
  readonly onBatch?: (rows: number, seconds: number) => void;
}

interface Waiting {
  readonly packed: PackedRows;
  readonly rows: number;
  /** Rows that are answered already. */
  answered: number;
  /** Filled piece by piece when one run was not enough. */
  collected: Record<string, RowTensor & { readonly data: NumericData | string[] }> | undefined;
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

export class MicroBatcher {
  private readonly queue: Waiting[] = [];
  private rowsQueued = 0;
  private draining = false;

  private readonly maxBatchRows: number;
  private readonly maxQueuedRows: number;

  constructor(
    private readonly model: RowModel,
    private readonly options: BatcherOptions,
  ) {
    // Wide rows: memory is what is bounded.
    this.maxBatchRows = Math.min(options.maxBatchRows, rowsWithin(MAX_BATCH_BYTES, model));
    this.maxQueuedRows = Math.min(options.maxQueuedRows, rowsWithin(MAX_QUEUED_BYTES, model));
  }

  get queuedRows(): number {
    return this.rowsQueued;
  }

  /**
   * The rows' buffers are not kept beyond the answer. Full: `done` gets an `exhausted` error.
   * A request that fails in company is tried alone, so that it cannot fail others.
   */
  submit(packed: PackedRows, done: InferenceDone): void {
    const { rows } = packed;
    if (this.rowsQueued + rows > this.maxQueuedRows) {
      done(
        new DomainError('exhausted', 'queue_full', `${this.rowsQueued} rows wait for this version: try again later`),
        undefined,
      );
      return;
    }
    this.queue.push({ packed, rows, answered: 0, collected: undefined, done });
    this.rowsQueued += rows;
    if (this.draining) return;
    this.draining = true;
    // After the sockets that are readable now were read: their requests come along.
    setImmediate(() => void this.drain());
  }

  /** For models whose only input is FP32. */
  infer(features: Float32Array, rows: number): Promise<Outputs> {
    return new Promise((resolve, reject) => {
      const bytes = new Uint8Array(features.buffer, features.byteOffset, features.byteLength);
      const done: InferenceDone = (error, outputs) => (outputs ? resolve(outputs) : reject(error));
      this.submit({ rows, bytes, strings: [] }, done);
    });
  }

  private async drain(): Promise<void> {
    while (this.queue.length > 0) {
      const pieces = this.takePieces();
      const error = await this.run(pieces);
      if (error === undefined) continue;
      if (pieces.length === 1) this.fail(pieces, error);
      else await this.runAlone(pieces);
    }
    this.draining = false;
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
    let rows = 0;
    let whole = 0;
    for (const waiting of this.queue) {
      const from = waiting.answered;
      const to = Math.min(waiting.rows, from + this.maxBatchRows - rows);
      pieces.push({ waiting, from, to, at: rows });
      rows += to - from;
      if (to === waiting.rows) whole += 1;
      if (rows === this.maxBatchRows) break;
    }
    this.queue.splice(0, whole);
    return pieces;
  }

  /** Runs and hands out; an error is returned, nobody is told yet. */
  private async run(pieces: readonly Piece[]): Promise<unknown> {
    const last = pieces.at(-1);
    if (!last) return undefined;
    const rows = last.at + last.to - last.from;
    const packed = together(pieces, rows, this.model);
    const startedAt = performance.now();
    let outputs: Outputs;
    try {
      outputs = await this.model.run(packed);
      checkRows(outputs, rows);
    } catch (error) {
      return error ?? new Error('the model failed without an error');
    }
    this.options.onBatch?.(rows, (performance.now() - startedAt) / 1_000);
    for (const piece of pieces) this.handOut(piece, outputs, rows);
    return undefined;
  }

  private handOut({ waiting, from, to, at }: Piece, outputs: Outputs, rows: number): void {
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
    waiting.answered = to;
    if (to === waiting.rows) this.answer(waiting, waiting.collected);
  }

  private answer(waiting: Waiting, outputs: Outputs): void {
    this.rowsQueued -= waiting.rows;
    waiting.done(undefined, outputs);
  }

  private fail(pieces: readonly Piece[], error: unknown): void {
    for (const { waiting } of pieces) {
      const index = this.queue.indexOf(waiting);
      if (index >= 0) this.queue.splice(index, 1);
      this.rowsQueued -= waiting.rows;
      waiting.done(error, undefined);
    }
  }
}

/** The rows of all pieces as one. */
function together(pieces: readonly Piece[], rows: number, { rowBytes, rowStrings }: RowModel): PackedRows {
  const bytes = new Uint8Array(rows * rowBytes);
  const strings: string[] = [];
  for (const { waiting, from, to, at } of pieces) {
    const { packed } = waiting;
    const whole = from === 0 && to === waiting.rows;
    bytes.set(whole ? packed.bytes : packed.bytes.subarray(from * rowBytes, to * rowBytes), at * rowBytes);
    for (let index = from * rowStrings; index < to * rowStrings; index += 1) strings.push(packed.strings[index] ?? '');
  }
  return { rows, bytes, strings };
}

function rowsWithin(bytes: number, { rowBytes }: RowModel): number {
  return Math.max(1, Math.floor(bytes / Math.max(1, rowBytes)));
}

function checkRows(outputs: Outputs, rows: number): void {
  for (const name in outputs) {
    const tensor = outputs[name];
    if (tensor && tensor.dims[0] === rows && tensor.data.length % rows === 0) continue;
    throw new RangeError(`output "${name}" has the shape [${tensor?.dims.join(', ')}] for ${rows} rows`);
  }
}

function sliceRows(outputs: Outputs, rows: number, at: number, count: number): Outputs {
  const own: Record<string, RowTensor> = {};
  for (const name in outputs) {
    const tensor = outputs[name];
    if (!tensor) continue;
    const width = tensor.data.length / rows;
    own[name] = {
      data: slice(tensor.data, at * width, (at + count) * width),
      dims: [count, ...tensor.dims.slice(1)],
    };
  }
  return own;
}

function emptyLike(part: Outputs, partRows: number, rows: number): NonNullable<Waiting['collected']> {
  const all: NonNullable<Waiting['collected']> = {};
  for (const name in part) {
    const tensor = part[name];
    if (!tensor) continue;
    all[name] = {
      data: allocate(tensor.data, (tensor.data.length / partRows) * rows),
      dims: [rows, ...tensor.dims.slice(1)],
    };
  }
  return all;
}
