import type { Output } from './output';
import { ConnectionFault, DEFAULT_WINDOW, ErrorCode, FrameType, Setting, type ServerLimits } from './protocol';
import type { Stream } from './stream';

/** Of a call that is not let in yet, while headers come first: small messages fit. */
const NARROW_WINDOW = 4_096;
/** Whoever acknowledges no SETTINGS is told no more of them. */
const MOST_UNACKNOWLEDGED = 4;

/** What the client may send on one connection, all streams together and each at first, and how it is told. */
export class Receiving {
  /** What a new stream may send at first: the last SETTINGS that the client has acknowledged. */
  streamWindow: number;
  private announced: number;
  private readonly unacknowledged: number[] = [];
  private window: number;
  private uncredited = 0;

  constructor(
    private readonly output: Output,
    private readonly limits: ServerLimits,
  ) {
    this.window = limits.connectionWindowBytes;
    this.streamWindow = this.announced = limits.streamWindowBytes;
  }

  /** The server's half of the preface. */
  greet(): void {
    const { maxConcurrentStreams, streamWindowBytes, maxHeaderListBytes, connectionWindowBytes } = this.limits;
    const payload = Buffer.concat([
      setting(Setting.maxConcurrentStreams, maxConcurrentStreams),
      setting(Setting.initialWindowSize, streamWindowBytes),
      setting(Setting.maxHeaderListSize, maxHeaderListBytes),
    ]);
    this.output.frame(FrameType.settings, 0, 0, payload);
    this.unacknowledged.push(streamWindowBytes);
    const more = connectionWindowBytes - DEFAULT_WINDOW;
    if (more > 0) this.output.number(FrameType.windowUpdate, 0, more);
  }

  /** Headers first: of a larger message only the beginning comes until its call is let in. */
  setHeadersFirst(on: boolean): void {
    const window = on ? Math.min(NARROW_WINDOW, this.limits.streamWindowBytes) : this.limits.streamWindowBytes;
    if (window === this.announced || this.unacknowledged.length >= MOST_UNACKNOWLEDGED) return;
    this.announced = window;
    this.unacknowledged.push(window);
    this.output.frame(FrameType.settings, 0, 0, setting(Setting.initialWindowSize, window));
  }

  /** The client keeps to the oldest SETTINGS that it had not acknowledged: they move the windows of its streams (RFC 9113, 6.9.2). */
  acknowledged(streams: Iterable<Stream>): void {
    const window = this.unacknowledged.shift() ?? this.streamWindow;
    const moved = window - this.streamWindow;
    this.streamWindow = window;
    if (moved !== 0) for (const stream of streams) stream.moveReceiveWindow(moved);
  }

  /** Payload of DATA has come. What a stream holds of it is bounded by the stream's window, and by the budgets. */
  take(bytes: number): void {
    this.window -= bytes;
    if (this.window < 0) throw new ConnectionFault(ErrorCode.flowControl, 'more was sent than the window allows');
    this.uncredited += bytes;
    if (this.uncredited < this.limits.connectionWindowBytes / 2) return;
    this.output.number(FrameType.windowUpdate, 0, this.uncredited);
    this.window += this.uncredited;
    this.uncredited = 0;
  }
}

function setting(id: number, value: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUInt16BE(id);
  bytes.writeUInt32BE(value, 2);
  return bytes;
}
