// Length-prefixed messages of gRPC out of the payloads of DATA frames.
import { status } from '@grpc/grpc-js';
import type { ByteBudget } from './budget';
import { MESSAGE_HEAD_BYTES } from './protocol';

/** What a caller is told when its messages cannot be read. */
export interface CallFault {
  readonly code: status;
  readonly details: string;
}

const FIRST_CARRY = 1_024;

/**
 * A message that lies whole in one payload is a view of it; another one is collected in a buffer that grows with what has
 * come, never with what was only announced.
 */
export class MessageReader {
  private carry: Buffer | undefined;
  private from = 0;
  private to = 0;
  private stopped = false;
  private closed = false;
  private kept = 0;

  constructor(
    private readonly maxMessageBytes: number,
    private readonly budget: ByteBudget,
    /** The call works on its messages until it ends: what they take counts until `close`. */
    private readonly keepsMessages: boolean,
    /** False: take no more until `resume`. */
    private readonly onMessage: (message: Buffer) => boolean,
  ) {}

  /** Bytes of a message that is not whole, or of messages that nobody takes yet. */
  get pending(): boolean {
    return this.to > this.from;
  }

  get paused(): boolean {
    return this.stopped;
  }

  /** Takes a payload. Returns why the call cannot go on. */
  push(bytes: Buffer, start: number, end: number): CallFault | undefined {
    if (this.carry) return this.keep(bytes, start, end) ?? this.drain();
    let at = start;
    while (!this.stopped && end - at >= MESSAGE_HEAD_BYTES) {
      const length = bytes.readUInt32BE(at + 1);
      const fault = this.faultOf(bytes[at] ?? 0, length);
      if (fault) return fault;
      const next = at + MESSAGE_HEAD_BYTES + length;
      if (next > end) break;
      this.stopped = !this.onMessage(bytes.subarray(at + MESSAGE_HEAD_BYTES, next));
      at = next;
    }
    return at < end ? this.keep(bytes, at, end) : undefined;
  }

  resume(): CallFault | undefined {
    this.stopped = false;
    return this.carry ? this.drain() : undefined;
  }

  /** Lets go of what is held; nothing is delivered any more. */
  close(): void {
    this.stopped = this.closed = true;
    this.release();
    this.budget.giveBack(this.kept);
    this.kept = 0;
  }

  private keep(bytes: Buffer, start: number, end: number): CallFault | undefined {
    if (this.closed) return undefined;
    const incoming = end - start;
    if (!this.carry || this.carry.length - this.to < incoming) {
      const held = this.to - this.from;
      const capacity = Math.max(held + incoming, Math.min(2 * held, this.maxMessageBytes), FIRST_CARRY);
      if (!this.budget.take(capacity))
        return { code: status.RESOURCE_EXHAUSTED, details: 'the server holds too many unfinished messages' };
      const grown = Buffer.allocUnsafeSlow(capacity);
      if (this.carry) {
        this.carry.copy(grown, 0, this.from, this.to);
        this.budget.giveBack(this.carry.length);
      }
      this.carry = grown;
      this.from = 0;
      this.to = held;
    }
    bytes.copy(this.carry, this.to, start, end);
    this.to += incoming;
    return undefined;
  }

  /** Messages are views of the buffer: what is delivered is never written over. */
  private drain(): CallFault | undefined {
    while (this.carry && !this.stopped && this.to - this.from >= MESSAGE_HEAD_BYTES) {
      const length = this.carry.readUInt32BE(this.from + 1);
      const fault = this.faultOf(this.carry[this.from] ?? 0, length);
      if (fault) return fault;
      const begin = this.from + MESSAGE_HEAD_BYTES;
      if (begin + length > this.to) return undefined;
      const message = this.carry.subarray(begin, begin + length);
      this.from = begin + length;
      if (this.from === this.to) this.release();
      this.stopped = !this.onMessage(message);
    }
    return undefined;
  }

  private release(): void {
    const bytes = this.carry?.length ?? 0;
    if (this.keepsMessages && !this.closed) this.kept += bytes;
    else this.budget.giveBack(bytes);
    this.carry = undefined;
    this.from = this.to = 0;
  }

  private faultOf(compressed: number, length: number): CallFault | undefined {
    if (compressed === 1)
      return { code: status.UNIMPLEMENTED, details: 'compressed messages are not taken: use grpc-encoding identity' };
    if (compressed !== 0) return { code: status.INTERNAL, details: 'a message does not begin with 0 or 1' };
    if (length <= this.maxMessageBytes) return undefined;
    const details = `Received message larger than max (${length} vs ${this.maxMessageBytes})`;
    return { code: status.RESOURCE_EXHAUSTED, details };
  }
}
