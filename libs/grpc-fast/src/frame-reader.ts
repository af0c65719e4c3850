import { ConnectionFault, ErrorCode, FRAME_HEAD_BYTES, PREFACE } from './protocol';

/** `bytes` from `start` to `end` are the payload; they stay as they are for as long as somebody holds them. */
export type FrameListener = (
  type: number,
  flags: number,
  stream: number,
  bytes: Buffer,
  start: number,
  end: number,
) => void;

/** Cuts a connection's chunks into frames. A frame that lies whole in a chunk is not copied; another one is, once. */
export class FrameReader {
  private prefaceSeen = 0;
  /** Beginning of a frame that is not whole, in a buffer as large as what is known to be needed. */
  private carry: Buffer | undefined;
  private carried = 0;

  constructor(
    private readonly maxFrameBytes: number,
    private readonly onFrame: FrameListener,
  ) {}

  /** The preface or a frame has begun and is not whole. */
  get inside(): boolean {
    return this.carry !== undefined || this.prefaceSeen < PREFACE.length;
  }

  /** Throws a ConnectionFault. */
  push(chunk: Buffer): void {
    let at = this.prefaceSeen < PREFACE.length ? this.readPreface(chunk) : 0;
    if (this.carry) at = this.fillCarry(chunk, at);
    const size = chunk.length;
    while (size - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + this.lengthAt(chunk, at);
      if (end > size) break;
      this.emit(chunk, at, end);
      at = end;
    }
    if (at < size) this.begin(chunk, at);
  }

  private emit(bytes: Buffer, at: number, end: number): void {
    const stream =
      (((bytes[at + 5] ?? 0) & 0x7f) << 24) |
      ((bytes[at + 6] ?? 0) << 16) |
      ((bytes[at + 7] ?? 0) << 8) |
      (bytes[at + 8] ?? 0);
    this.onFrame(bytes[at + 3] ?? 0, bytes[at + 4] ?? 0, stream, bytes, at + FRAME_HEAD_BYTES, end);
  }

  private lengthAt(bytes: Buffer, at: number): number {
    const length = ((bytes[at] ?? 0) << 16) | ((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0);
    if (length > this.maxFrameBytes)
      throw new ConnectionFault(ErrorCode.frameSize, `a frame of ${length} bytes, at most ${this.maxFrameBytes}`);
    return length;
  }

  private readPreface(chunk: Buffer): number {
    const count = Math.min(chunk.length, PREFACE.length - this.prefaceSeen);
    if (chunk.compare(PREFACE, this.prefaceSeen, this.prefaceSeen + count, 0, count) !== 0)
      throw new ConnectionFault(ErrorCode.protocol, 'the connection does not begin with the preface of HTTP/2');
    this.prefaceSeen += count;
    return count;
  }

  private begin(chunk: Buffer, at: number): void {
    const there = chunk.length - at;
    const needed = there >= FRAME_HEAD_BYTES ? FRAME_HEAD_BYTES + this.lengthAt(chunk, at) : FRAME_HEAD_BYTES;
    this.carry = Buffer.allocUnsafe(needed);
    this.carried = chunk.copy(this.carry, 0, at);
  }

  /** Returns where in the chunk the next frame begins. */
  private fillCarry(chunk: Buffer, from: number): number {
    let at = from;
    while (this.carry) {
      const taken = chunk.copy(this.carry, this.carried, at, at + this.carry.length - this.carried);
      at += taken;
      this.carried += taken;
      const whole = this.carry;
      if (this.carried < whole.length) return at;
      const needed = FRAME_HEAD_BYTES + this.lengthAt(whole, 0);
      if (needed > whole.length) {
        this.carry = Buffer.allocUnsafe(needed);
        whole.copy(this.carry);
        continue;
      }
      this.carry = undefined;
      this.emit(whole, 0, needed);
    }
    return at;
  }
}
