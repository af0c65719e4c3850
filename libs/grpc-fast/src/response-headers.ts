// Header blocks of answers (RFC 7541 for the coding; gRPC over HTTP/2, "Responses").
import { type Metadata, status } from '@grpc/grpc-js';
import { HEADER_TABLE_BYTES } from './protocol';

const STATUS_200 = 0x88;
const CONTENT_TYPE = 31;
const NEWEST = 62;
/** Longest text of a status, as it was before it is encoded: a header is no place for more. */
const MAX_DETAILS = 1_024;

function integer(prefixBits: number, pattern: number, value: number): Buffer {
  const mask = (1 << prefixBits) - 1;
  if (value < mask) return Buffer.from([pattern | value]);
  const bytes = [pattern | mask];
  let rest = value - mask;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  return Buffer.concat([integer(7, 0, bytes.length), bytes]);
}

/** Without indexing: leaves the client's table as it is. */
function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.from([0]), text(name), text(value)]);
}

const TYPE = 'application/grpc';
const ENCODINGS = literal('grpc-accept-encoding', 'identity');
const TYPE_AS_IT_IS = Buffer.concat([integer(4, 0, CONTENT_TYPE), text(TYPE)]);
const TYPE_TO_TABLE = Buffer.concat([integer(6, 0x40, CONTENT_TYPE), text(TYPE)]);
const OK_AS_IT_IS = literal('grpc-status', '0');
const OK_TO_TABLE = Buffer.concat([Buffer.from([0x40]), text('grpc-status'), text('0')]);
const FORGET_TABLE = Buffer.from([0x20]);

/**
 * State of one connection: which of the two headers that nearly every answer has (content-type, then grpc-status 0) are in
 * the client's table. Nothing else is ever put there, so their places are known; a client that wants a smaller table than
 * the usual gets none used.
 */
export class ResponseHeaders {
  private kept: 'nothing' | 'type' | 'both' | 'never' = 'nothing';
  private mustForget = false;

  /** The client's SETTINGS_HEADER_TABLE_SIZE. RFC 7541, 4.2: a smaller one is confirmed in the next block. */
  resizeTable(bytes: number): void {
    if (bytes >= HEADER_TABLE_BYTES || this.kept === 'never') return;
    this.kept = 'never';
    this.mustForget = true;
  }

  /** Block of an answer's headers. */
  head(metadata?: Metadata): Buffer {
    return this.confirmed(this.headBlock(metadata));
  }

  /** Block after the last message. */
  trailers(code: number, details = '', metadata?: Metadata): Buffer {
    if (code !== status.OK || metadata) return this.confirmed(Buffer.concat(trailerFields(code, details, metadata)));
    if (this.kept === 'both') return OK_INDEXED;
    if (this.kept !== 'type') return this.confirmed(OK_AS_IT_IS);
    this.kept = 'both';
    return OK_TO_TABLE;
  }

  /** An answer without a message: headers and trailers in one block. */
  trailersOnly(code: number, details: string, metadata?: Metadata): Buffer {
    return this.confirmed(
      Buffer.concat([this.headBlock(undefined), ENCODINGS, ...trailerFields(code, details, metadata)]),
    );
  }

  /** What somebody gets who does not speak gRPC. */
  plain(httpStatus: number, why: string): Buffer {
    return this.confirmed(
      Buffer.concat([
        // Index 8 is a :status; its value is given.
        integer(4, 0, 8),
        text(String(httpStatus)),
        ...trailerFields(httpStatus === 415 ? status.INVALID_ARGUMENT : status.UNIMPLEMENTED, why),
      ]),
    );
  }

  private headBlock(metadata: Metadata | undefined): Buffer {
    const known = this.typeBlock();
    return metadata ? Buffer.concat([known, ...metadataFields(metadata)]) : known;
  }

  private typeBlock(): Buffer {
    switch (this.kept) {
      case 'nothing':
        this.kept = 'type';
        return FIRST_HEAD;
      case 'type':
        return HEAD_NEWEST;
      case 'both':
        return HEAD_SECOND;
      case 'never':
        return HEAD_PLAIN;
    }
  }

  private confirmed(block: Buffer): Buffer {
    if (!this.mustForget) return block;
    this.mustForget = false;
    return Buffer.concat([FORGET_TABLE, block]);
  }
}

const FIRST_HEAD = Buffer.concat([Buffer.from([STATUS_200]), TYPE_TO_TABLE]);
const HEAD_NEWEST = Buffer.from([STATUS_200, 0x80 | NEWEST]);
const HEAD_SECOND = Buffer.from([STATUS_200, 0x80 | (NEWEST + 1)]);
const HEAD_PLAIN = Buffer.concat([Buffer.from([STATUS_200]), TYPE_AS_IT_IS]);
const OK_INDEXED = Buffer.from([0x80 | NEWEST]);

function trailerFields(code: number, details: string, metadata?: Metadata): Buffer[] {
  const fields = [literal('grpc-status', String(code))];
  if (details !== '') fields.push(literal('grpc-message', percentEncoded(details.slice(0, MAX_DETAILS))));
  return metadata ? [...fields, ...metadataFields(metadata)] : fields;
}

/** "Percent-Encoded" of gRPC over HTTP/2: UTF-8, everything but printable ASCII and the percent sign itself. */
export function percentEncoded(message: string): string {
  return Buffer.from(message, 'utf8')
    .toString('latin1')
    .replace(/[^\x20-\x24\x26-\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

const RESERVED = /^(:|grpc-(status|message|encoding|accept-encoding|timeout)$|content-type$|te$)/;

function metadataFields(metadata: Metadata): Buffer[] {
  const fields: Buffer[] = [];
  for (const name of Object.keys(metadata.getMap())) {
    if (RESERVED.test(name)) continue;
    for (const value of metadata.get(name))
      fields.push(literal(name, typeof value === 'string' ? value : value.toString('base64').replace(/=+$/, '')));
  }
  return fields;
}
