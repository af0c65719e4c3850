import type { Output } from './output';
import { ConnectionFault, DEFAULT_WINDOW, ErrorCode, FrameType, Setting, type ServerLimits } from './protocol';

/** What the client may send on one connection, all streams together, and how it is told. */
export class Receiving {
  private window: number;
  private uncredited = 0;

  constructor(
    private readonly output: Output,
    private readonly limits: ServerLimits,
  ) {
    this.window = limits.connectionWindowBytes;
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
    const more = connectionWindowBytes - DEFAULT_WINDOW;
    if (more > 0) this.output.number(FrameType.windowUpdate, 0, more);
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
