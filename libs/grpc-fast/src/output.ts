import type { Socket } from 'node:net';
import { FRAME_HEAD_BYTES, FrameType } from './protocol';

const FIRST_SLAB = 2_048;
const LARGEST_SLAB = 65_536;
/** Buffers of this size go to the socket as they are. */
const NOT_COPIED = 8_192;
/** What may lie in the socket before the connection stops reading: who does not take answers gets no more. */
const CONGESTED_BYTES = 262_144;

/** Frames of one connection; all that is written in one turn of the event loop goes to the socket at once. */
export class Output {
  /** Written from front to end and then left to the collector: the socket may hold parts of it for long. */
  private slab: Buffer = Buffer.allocUnsafe(0);
  private from = 0;
  private used = 0;
  private parts: Buffer[] = [];
  private scheduled = false;
  private nextSlab = FIRST_SLAB;
  private unflushed = 0;
  /** When the socket began to be full; undefined while it takes what it is given. */
  congestedSince: number | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly now: () => number,
    /** With false also after a flush that left room. */
    private readonly onCongested: (congested: boolean) => void,
  ) {
    socket.on('drain', () => {
      if (this.congestedSince === undefined) return;
      this.congestedSince = undefined;
      this.onCongested(false);
    });
  }

  /** Whoever can wait with writing should. */
  get full(): boolean {
    return this.congestedSince !== undefined || this.unflushed >= CONGESTED_BYTES;
  }

  /** Nothing was written for a while: lets go of the memory. */
  rest(): void {
    if (this.scheduled) return;
    this.slab = Buffer.allocUnsafe(0);
    this.from = this.used = 0;
    this.nextSlab = FIRST_SLAB;
  }

  frame(type: number, flags: number, stream: number, payload?: Buffer): void {
    const length = payload?.length ?? 0;
    this.frameHead(length, type, flags, stream);
    if (payload) this.bytes(payload, 0, length);
  }

  frameHead(length: number, type: number, flags: number, stream: number): void {
    const at = this.reserve(FRAME_HEAD_BYTES);
    const slab = this.slab;
    slab[at] = length >>> 16;
    slab[at + 1] = length >>> 8;
    slab[at + 2] = length;
    slab[at + 3] = type;
    slab[at + 4] = flags;
    slab[at + 5] = stream >>> 24;
    slab[at + 6] = stream >>> 16;
    slab[at + 7] = stream >>> 8;
    slab[at + 8] = stream;
  }

  /** A frame whose payload is one number: RST_STREAM, WINDOW_UPDATE. */
  number(type: number, stream: number, value: number): void {
    this.frameHead(4, type, 0, stream);
    this.uint32(value);
  }

  goAway(lastStream: number, code: number, message: string): void {
    const text = Buffer.from(message);
    this.frameHead(8 + text.length, FrameType.goAway, 0, 0);
    this.uint32(lastStream);
    this.uint32(code);
    this.bytes(text, 0, text.length);
  }

  uint32(value: number): void {
    const at = this.reserve(4);
    this.slab[at] = value >>> 24;
    this.slab[at + 1] = value >>> 16;
    this.slab[at + 2] = value >>> 8;
    this.slab[at + 3] = value;
  }

  uint8(value: number): void {
    const at = this.reserve(1);
    this.slab[at] = value;
  }

  /** Large ones are not copied: they must stay as they are. */
  bytes(source: Buffer, start: number, end: number): void {
    const length = end - start;
    if (length >= NOT_COPIED) {
      this.cut();
      this.parts.push(source.subarray(start, end));
      this.unflushed += length;
      this.schedule();
      return;
    }
    const at = this.reserve(length);
    source.copy(this.slab, at, start, end);
  }

  flush(): void {
    this.scheduled = false;
    const wasFull = this.full;
    this.unflushed = 0;
    const { socket } = this;
    if (socket.destroyed || !socket.writable) {
      this.parts = [];
      this.from = this.used;
      return;
    }
    if (this.parts.length === 0) {
      if (this.used === this.from) return;
      socket.write(this.slab.subarray(this.from, this.used));
      this.from = this.used;
    } else {
      this.cut();
      socket.cork();
      for (const part of this.parts) socket.write(part);
      socket.uncork();
      this.parts = [];
    }
    if (this.congestedSince !== undefined) return;
    if (socket.writableLength >= CONGESTED_BYTES) {
      this.congestedSince = this.now();
      this.onCongested(true);
    } else if (wasFull) {
      this.onCongested(false);
    }
  }

  private reserve(length: number): number {
    if (this.used + length > this.slab.length) this.newSlab(length);
    const at = this.used;
    this.used += length;
    this.unflushed += length;
    if (!this.scheduled) this.schedule();
    return at;
  }

  private newSlab(length: number): void {
    this.cut();
    this.slab = Buffer.allocUnsafeSlow(Math.max(this.nextSlab, length));
    this.from = this.used = 0;
    this.nextSlab = Math.min(LARGEST_SLAB, this.nextSlab * 2);
  }

  private cut(): void {
    if (this.used > this.from) this.parts.push(this.slab.subarray(this.from, this.used));
    this.from = this.used;
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    process.nextTick(() => this.flush());
  }
}
