// The body of a request, within bounds: of one request, of what it unpacks to, and of all that are being read at once.
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import { HttpFault } from './errors';

const UNPACK = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

/** Bytes of bodies that are in memory now. */
export class BodyBudget {
  private taken = 0;

  constructor(private readonly bytes: number) {}

  /** Throws when there is no room. */
  take(bytes: number): void {
    if (this.taken + bytes > this.bytes) {
      throw new HttpFault(503, 'too many request bodies are being read at once: try again later', {
        'Retry-After': '1',
      });
    }
    this.taken += bytes;
  }

  giveBack(bytes: number): void {
    this.taken -= bytes;
  }
}

export interface Body {
  readonly bytes: Buffer;
  /** Gives its memory back to the budget. */
  release(): void;
}

/** As `receiveBody`, for whoever waits. */
export function readBody(request: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<Body> {
  return new Promise((resolve, reject) => receiveBody(request, maxBytes, budget, resolve, reject));
}

/**
 * Calls `use` or `refuse` once; `refuse` with an HttpFault (400, 413, 415, 503). A body that is refused is not read to its
 * end. No promise, and nothing is made that is not needed when all goes well: it is on the path of every request.
 */
export function receiveBody(
  request: IncomingMessage,
  maxBytes: number,
  budget: BodyBudget,
  use: (body: Body) => void,
  refuse: (error: unknown) => void,
): void {
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'deflate') {
    refuse(new HttpFault(415, `Content-Encoding "${encoding.slice(0, 50)}": expected gzip or deflate`));
    return;
  }
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    refuse(tooLarge(maxBytes));
    return;
  }
  const room = new Room(budget);
  let first: Buffer | undefined;
  let more: Buffer[] | undefined;
  let total = 0;
  let over = false;
  const giveUp = (error: unknown): void => {
    if (over) return;
    over = true;
    room.release();
    refuse(error);
  };
  request.on('data', (chunk: Buffer) => {
    if (over) return;
    total += chunk.byteLength;
    try {
      if (total > maxBytes) throw tooLarge(maxBytes);
      room.take(chunk.byteLength);
    } catch (error) {
      request.pause();
      giveUp(error);
      return;
    }
    if (!first) first = chunk;
    else (more ??= [first]).push(chunk);
  });
  request.on('end', () => {
    if (over) return;
    over = true;
    const bytes = more ? Buffer.concat(more) : (first ?? NOTHING);
    if (encoding === 'identity') {
      use(room.hold(bytes));
      return;
    }
    unpack(bytes, encoding, maxBytes)
      .then((unpacked) => {
        room.take(unpacked.byteLength);
        return room.hold(unpacked);
      })
      .then(use, (error: unknown) => {
        room.release();
        refuse(error);
      });
  });
  request.on('error', giveUp);
  // After every request, whole or not.
  request.on('close', () => {
    if (!over) giveUp(new HttpFault(400, 'the request ended before its body did'));
  });
}

const NOTHING = Buffer.alloc(0);

/** What one body takes of the budget. */
class Room implements Body {
  bytes: Buffer = NOTHING;
  private held = 0;

  constructor(private readonly budget: BodyBudget) {}

  /** Throws when there is none left. */
  take(bytes: number): void {
    this.budget.take(bytes);
    this.held += bytes;
  }

  hold(bytes: Buffer): Body {
    this.bytes = bytes;
    return this;
  }

  release(): void {
    this.budget.giveBack(this.held);
    this.held = 0;
    this.bytes = NOTHING;
  }
}

async function unpack(bytes: Buffer, encoding: keyof typeof UNPACK, maxBytes: number): Promise<Buffer> {
  try {
    return await UNPACK[encoding](bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw new HttpFault(400, `the body is no ${encoding} data`);
  }
}

function tooLarge(maxBytes: number): HttpFault {
  // What is still on its way is not read.
  return new HttpFault(413, `the body has more than ${maxBytes} bytes`, { Connection: 'close' });
}
