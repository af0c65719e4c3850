// HEADERS and CONTINUATION to request heads.
import type { Connection } from './connection';
import { paddingOf } from './frame-rules';
import { HpackDecoder } from './hpack';
import { ConnectionFault, ErrorCode, Flag, HEADER_TABLE_BYTES, MAX_WINDOW, protocolFault } from './protocol';
import { areTrailers, readRequestHead, type RequestHead } from './request-head';

interface OpenBlock {
  readonly id: number;
  readonly last: boolean;
  readonly parts: Buffer[];
  bytes: number;
  frames: number;
}

/** Blocks that are kept for comparison are not longer. */
const COMPARED_BYTES = 1_024;

export class HeaderBlocks {
  private readonly decoder: HpackDecoder;
  private begun: OpenBlock | undefined;
  /** The last block that left the table alone: while the table stands, the same bytes mean the same head. */
  private known: { readonly block: Buffer; readonly head: RequestHead; readonly generation: number } | undefined;

  constructor(private readonly connection: Connection) {
    this.decoder = new HpackDecoder(HEADER_TABLE_BYTES, connection.limits.maxHeaderListBytes);
  }

  /** A block has begun and is not whole. */
  get open(): boolean {
    return this.begun !== undefined;
  }

  headers(flags: number, id: number, bytes: Buffer, from: number, to: number): void {
    if ((id & 1) === 0) throw protocolFault('a client opens streams with odd numbers');
    let start = from;
    let end = to;
    if (flags & Flag.padded) {
      end -= paddingOf(bytes, start, end);
      start += 1;
    }
    const prioritised = (flags & Flag.priority) !== 0;
    if (prioritised) start += 5;
    if (start > end) throw protocolFault('HEADERS is too short for its priority');
    if (prioritised && (bytes.readUInt32BE(start - 5) & MAX_WINDOW) === id)
      throw protocolFault('a stream depends on itself');
    const last = (flags & Flag.endStream) !== 0;
    if (flags & Flag.endHeaders) this.whole(id, last, bytes, start, end);
    else this.begun = { id, last, parts: [Buffer.from(bytes.subarray(start, end))], bytes: end - start, frames: 0 };
  }

  continuation(flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    const { begun } = this;
    if (!begun || begun.id !== id) throw protocolFault('CONTINUATION continues no header block');
    begun.frames += 1;
    begun.bytes += end - start;
    const { maxContinuationFrames, maxHeaderBlockBytes } = this.connection.limits;
    if (begun.frames > maxContinuationFrames || begun.bytes > maxHeaderBlockBytes)
      throw new ConnectionFault(ErrorCode.enhanceYourCalm, 'a header block is too long');
    begun.parts.push(Buffer.from(bytes.subarray(start, end)));
    if ((flags & Flag.endHeaders) === 0) return;
    this.begun = undefined;
    const block = Buffer.concat(begun.parts);
    this.whole(id, begun.last, block, 0, block.length);
  }

  private whole(id: number, last: boolean, bytes: Buffer, start: number, end: number): void {
    this.connection.request(
      id,
      last,
      () => this.head(bytes, start, end),
      () => areTrailers(this.decoder.decode(bytes, start, end).fields),
    );
  }

  private head(bytes: Buffer, start: number, end: number): RequestHead {
    const { known, decoder } = this;
    if (
      known &&
      known.generation === decoder.generation &&
      known.block.length === end - start &&
      known.block.compare(bytes, start, end) === 0
    )
      return known.head;
    const { generation } = decoder;
    const { fields, tooLarge } = decoder.decode(bytes, start, end);
    const head = readRequestHead(fields, tooLarge);
    if (generation === decoder.generation && end - start <= COMPARED_BYTES)
      this.known = { block: Buffer.from(bytes.subarray(start, end)), head, generation };
    return head;
  }
}
