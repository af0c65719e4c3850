// What one connection may send: the client's windows and frame size, and the answers that wait for them.
import type { Output } from './output';
import {
  ConnectionFault,
  DEFAULT_FRAME_BYTES,
  DEFAULT_WINDOW,
  ErrorCode,
  Flag,
  FrameType,
  MAX_WINDOW,
  protocolFault,
} from './protocol';
import type { Stream } from './stream';

/** A client may allow more; longer frames would only make others wait. */
const LARGEST_FRAME = 4 * DEFAULT_FRAME_BYTES;

export class Sending {
  window = DEFAULT_WINDOW;
  frameBytes = DEFAULT_FRAME_BYTES;
  /** Of a stream that is opened now. */
  initialWindow = DEFAULT_WINDOW;
  /** Streams whose answers wait for some window, and those of them that wait for the connection's. */
  readonly waiting = new Set<Stream>();
  private readonly waitingHere = new Set<Stream>();
  private callbacks: (() => void)[] = [];

  constructor(private readonly output: Output) {}

  headerBlock(id: number, block: Buffer, last: boolean): void {
    const size = this.frameBytes;
    for (let at = 0; at === 0 || at < block.length; at += size) {
      const flags = (at === 0 && last ? Flag.endStream : 0) | (at + size >= block.length ? Flag.endHeaders : 0);
      const type = at === 0 ? FrameType.headers : FrameType.continuation;
      this.output.frame(type, flags, id, block.subarray(at, at + size));
    }
  }

  /** The client's SETTINGS_MAX_FRAME_SIZE. */
  setFrameBytes(value: number): void {
    if (value < DEFAULT_FRAME_BYTES || value > 0xffffff) throw protocolFault('MAX_FRAME_SIZE is out of its range');
    this.frameBytes = Math.min(value, LARGEST_FRAME);
  }

  /** The client's SETTINGS_INITIAL_WINDOW_SIZE, which also moves the windows of open streams. */
  setInitialWindow(value: number, streams: Iterable<Stream>): void {
    if (value > MAX_WINDOW) throw new ConnectionFault(ErrorCode.flowControl, 'INITIAL_WINDOW_SIZE is out of its range');
    const more = value - this.initialWindow;
    this.initialWindow = value;
    for (const stream of streams) {
      if (!stream.enlargeWindow(more)) throw new ConnectionFault(ErrorCode.flowControl, 'a window becomes too large');
    }
    if (more > 0) for (const stream of [...this.waiting]) this.pump(stream);
  }

  /** Of the connection. Each stream that goes on uses up some of it: the work is bounded by what is sent. */
  enlarge(bytes: number): void {
    if (bytes === 0) throw protocolFault('a window is enlarged by nothing');
    this.window += bytes;
    if (this.window > MAX_WINDOW) throw new ConnectionFault(ErrorCode.flowControl, 'the window becomes too large');
    for (const stream of this.waitingHere) if (!this.pump(stream)) break;
  }

  /** `here`: for the connection's window. */
  wait(stream: Stream, here: boolean): void {
    this.waiting.add(stream);
    if (here) this.waitingHere.add(stream);
    else this.waitingHere.delete(stream);
  }

  /** False: the connection's window stops it. */
  pump(stream: Stream): boolean {
    this.forget(stream);
    return stream.pump();
  }

  forget(stream: Stream): void {
    this.waiting.delete(stream);
    this.waitingHere.delete(stream);
  }

  /** Calls back when the socket takes more; at once when it does. */
  whenTaken(callback: () => void): void {
    if (this.output.full) this.callbacks.push(callback);
    else callback();
  }

  taken(): void {
    const { callbacks } = this;
    this.callbacks = [];
    for (const callback of callbacks) callback();
  }

  close(): void {
    this.callbacks = [];
  }
}
