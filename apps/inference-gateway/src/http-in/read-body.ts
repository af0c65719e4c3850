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

/** Rejects with an HttpFault (400, 413, 415, 503). A body that is refused is not read to its end. */
export async function readBody(request: IncomingMessage, maxBytes: number, budget: BodyBudget): Promise<Body> {
  const encoding = request.headers['content-encoding']?.toLowerCase() ?? 'identity';
  if (encoding !== 'identity' && encoding !== 'gzip' && encoding !== 'deflate') {
    throw new HttpFault(415, `Content-Encoding "${encoding.slice(0, 50)}": expected gzip or deflate`);
  }
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  let held = 0;
  const take = (bytes: number): void => {
    budget.take(bytes);
    held += bytes;
  };
  const release = (): void => {
    budget.giveBack(held);
    held = 0;
  };
  try {
    const bytes = await collect(request, maxBytes, take);
    if (encoding === 'identity') return { bytes, release };
    const unpacked = await unpack(bytes, encoding, maxBytes);
    take(unpacked.byteLength);
    return { bytes: unpacked, release };
  } catch (error) {
    release();
    throw error;
  }
}

function collect(request: IncomingMessage, maxBytes: number, take: (bytes: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let total = 0;
    request.on('data', (chunk: Buffer) => {
      total += chunk.byteLength;
      try {
        if (total > maxBytes) throw tooLarge(maxBytes);
        take(chunk.byteLength);
        chunks.push(chunk);
      } catch (error) {
        request.removeAllListeners('data').pause();
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
    request.once('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new HttpFault(400, 'the request ended before its body did')));
  });
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
