// A client that may say anything: frames as they are written, on a socket.
import { connect, type Socket } from 'node:net';

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export const Type = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
};
export const END_STREAM = 1;
export const END_HEADERS = 4;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A field that leaves the table alone; strings of any length below 2^14. */
export function field(name: string, value: string): Buffer {
  const text = (bytes: Buffer): Buffer =>
    bytes.length < 127
      ? Buffer.concat([Buffer.from([bytes.length]), bytes])
      : Buffer.concat([Buffer.from([127, ((bytes.length - 127) & 127) | 128, (bytes.length - 127) >> 7]), bytes]);
  return Buffer.concat([Buffer.from([0]), text(Buffer.from(name)), text(Buffer.from(value))]);
}

export function callHeaders(path: string, more: Readonly<Record<string, string>> = {}): Buffer {
  const fields = { 'content-type': 'application/grpc', te: 'trailers', ...more };
  return Buffer.concat([
    Buffer.from([0x83, 0x86]),
    field(':path', path),
    ...Object.entries(fields).map(([name, value]) => field(name, value)),
  ]);
}

export function message(body: Buffer, announced = body.length): Buffer {
  return Buffer.concat([Buffer.from([0]), uint32(announced), body]);
}

/** A whole unary call. */
export function call(stream: number, path: string, body: Buffer): Buffer {
  return Buffer.concat([
    frame(Type.headers, END_HEADERS, stream, callHeaders(path)),
    frame(Type.data, END_STREAM, stream, message(body)),
  ]);
}

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

export class RawClient {
  readonly frames: Frame[] = [];
  closed = false;
  private rest: Buffer = Buffer.alloc(0);
  private waiting: (() => void)[] = [];

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.read(chunk));
    // Being cut off is what many specs are about.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }

  /** Connected; with the preface and empty settings unless `silent`. */
  static async open(port: number, options: { silent?: boolean; settings?: Buffer } = {}): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const client = new RawClient(socket);
    if (!options.silent) client.send(PREFACE, frame(Type.settings, 0, 0, options.settings));
    return client;
  }

  send(...bytes: Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(bytes));
  }

  /** The first frame that fits, also of those that came before. */
  async frame(fits: (frame: Frame) => boolean): Promise<Frame> {
    for (;;) {
      const found = this.frames.find(fits);
      if (found) return found;
      if (this.closed) throw new Error(`closed; frames: ${this.frames.map(({ type }) => type).join(', ')}`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  /** The code of the GOAWAY that the server says goodbye with. */
  async goodbye(): Promise<number> {
    const { payload } = await this.frame(({ type }) => type === Type.goAway);
    await this.end();
    return payload.readUInt32BE(4);
  }

  async end(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** The code that the server resets a stream with. */
  async resetOf(stream: number): Promise<number> {
    const { payload } = await this.frame((frame) => frame.type === Type.reset && frame.stream === stream);
    return payload.readUInt32BE(0);
  }

  /** The last block of an answer, as text: grpc-status and message stand in it as they are. */
  async trailersOf(stream: number): Promise<string> {
    const { payload } = await this.frame(
      (frame) => frame.type === Type.headers && frame.stream === stream && (frame.flags & END_STREAM) !== 0,
    );
    return payload.toString('latin1');
  }

  destroy(): void {
    this.socket.destroy();
  }

  private read(chunk: Buffer): void {
    this.rest = Buffer.concat([this.rest, chunk]);
    while (this.rest.length >= 9) {
      const end = 9 + this.rest.readUIntBE(0, 3);
      if (this.rest.length < end) break;
      this.frames.push({
        type: this.rest[3] ?? 0,
        flags: this.rest[4] ?? 0,
        stream: this.rest.readUInt32BE(5),
        payload: this.rest.subarray(9, end),
      });
      this.rest = this.rest.subarray(end);
    }
    this.wake();
  }

  private wake(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resume of waiting) resume();
  }
}
