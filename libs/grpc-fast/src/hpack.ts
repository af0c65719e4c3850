// Decoder of header blocks (RFC 7541).
import { decodeHuffman } from './huffman';
import { ConnectionFault, ErrorCode } from './protocol';

// prettier-ignore
const STATIC_TABLE: readonly (readonly [name: string, value: string])[] = [
  [':authority', ''], [':method', 'GET'], [':method', 'POST'], [':path', '/'], [':path', '/index.html'],
  [':scheme', 'http'], [':scheme', 'https'], [':status', '200'], [':status', '204'], [':status', '206'],
  [':status', '304'], [':status', '400'], [':status', '404'], [':status', '500'], ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'], ['accept-language', ''], ['accept-ranges', ''], ['accept', ''],
  ['access-control-allow-origin', ''], ['age', ''], ['allow', ''], ['authorization', ''], ['cache-control', ''],
  ['content-disposition', ''], ['content-encoding', ''], ['content-language', ''], ['content-length', ''],
  ['content-location', ''], ['content-range', ''], ['content-type', ''], ['cookie', ''], ['date', ''], ['etag', ''],
  ['expect', ''], ['expires', ''], ['from', ''], ['host', ''], ['if-match', ''], ['if-modified-since', ''],
  ['if-none-match', ''], ['if-range', ''], ['if-unmodified-since', ''], ['last-modified', ''], ['link', ''],
  ['location', ''], ['max-forwards', ''], ['proxy-authenticate', ''], ['proxy-authorization', ''], ['range', ''],
  ['referer', ''], ['refresh', ''], ['retry-after', ''], ['server', ''], ['set-cookie', ''],
  ['strict-transport-security', ''], ['transfer-encoding', ''], ['user-agent', ''], ['vary', ''], ['via', ''],
  ['www-authenticate', ''],
];

/** RFC 7541, 4.1: what a field counts in a table and in a list. */
const FIELD_OVERHEAD = 32;

interface Field {
  readonly name: string;
  readonly value: string;
  readonly size: number;
}

const STATIC_FIELDS: readonly Field[] = STATIC_TABLE.map(([name, value]) => fieldOf(name, value));

function fieldOf(name: string, value: string): Field {
  return { name, value, size: name.length + value.length + FIELD_OVERHEAD };
}

/** Names and values in turn, one character a byte. */
export interface DecodedBlock {
  readonly fields: readonly string[];
  /** The list was longer than allowed: `fields` holds only its beginning. */
  readonly tooLarge: boolean;
}

/** State of one direction of a connection: blocks must be given in their order, each of them. */
export class HpackDecoder {
  /** Oldest first; those before `first` are evicted. */
  private table: Field[] = [];
  private first = 0;
  private tableBytes = 0;
  private maxTableBytes: number;
  private bytes: Buffer = Buffer.alloc(0);
  private at = 0;
  private end = 0;
  /** Counts changes of the table: while it stands, equal blocks mean equal lists. */
  generation = 0;

  constructor(
    private readonly tableLimit: number,
    private readonly maxListBytes: number,
  ) {
    this.maxTableBytes = tableLimit;
  }

  /** Throws a ConnectionFault: after a block that cannot be decoded the next one cannot either. */
  decode(bytes: Buffer, start: number, end: number): DecodedBlock {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    const fields: string[] = [];
    let size = 0;
    while (this.at < end) {
      const first = bytes[this.at] ?? 0;
      if ((first & 0xe0) === 0x20) {
        if (size > 0) throw fault('the table size changes inside a header block');
        this.resize(this.integer(5));
        continue;
      }
      const field = this.field(first);
      // Beyond the limit nothing is kept, but the table goes on as the client's does.
      size += field.size;
      if (size <= this.maxListBytes) fields.push(field.name, field.value);
    }
    // The chunk that the block came in is not to live as long as the connection.
    this.bytes = EMPTY;
    return { fields, tooLarge: size > this.maxListBytes };
  }

  private field(first: number): Field {
    if (first & 0x80) return this.indexed(this.integer(7));
    const indexing = (first & 0x40) !== 0;
    const index = this.integer(indexing ? 6 : 4);
    const name = index === 0 ? this.text() : this.indexed(index).name;
    const field = fieldOf(name, this.text());
    if (indexing) this.insert(field);
    return field;
  }

  private indexed(index: number): Field {
    const field =
      index <= STATIC_FIELDS.length
        ? STATIC_FIELDS[index - 1]
        : this.entry(this.table.length - (index - STATIC_FIELDS.length));
    if (!field) throw fault(`there is no header with the index ${index}`);
    return field;
  }

  private entry(position: number): Field | undefined {
    return position >= this.first ? this.table[position] : undefined;
  }

  private insert(field: Field): void {
    this.generation += 1;
    this.tableBytes += field.size;
    this.table.push(field);
    this.evict();
  }

  private resize(bytes: number): void {
    if (bytes > this.tableLimit) throw fault(`a table of ${bytes} bytes, at most ${this.tableLimit}`);
    this.generation += 1;
    this.maxTableBytes = bytes;
    this.evict();
  }

  private evict(): void {
    while (this.tableBytes > this.maxTableBytes) {
      this.tableBytes -= this.table[this.first]?.size ?? 0;
      this.first += 1;
    }
    // The table holds at most 128 fields: cutting off the old ones now and then costs each of them little.
    if (this.first < 256) return;
    this.table = this.table.slice(this.first);
    this.first = 0;
  }

  /** RFC 7541, 5.1. */
  private integer(prefixBits: number): number {
    const mask = (1 << prefixBits) - 1;
    let value = this.byte() & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      if (shift > 21) throw fault('an integer is too long');
      const byte = this.byte();
      value += (byte & 0x7f) << shift;
      if ((byte & 0x80) === 0) return value;
    }
  }

  private text(): string {
    const huffman = ((this.bytes[this.at] ?? 0) & 0x80) !== 0;
    const length = this.integer(7);
    const from = this.at;
    this.at += length;
    if (this.at > this.end) throw fault('a string goes beyond its header block');
    if (!huffman) return this.bytes.toString('latin1', from, this.at);
    const decoded = decodeHuffman(this.bytes, from, this.at);
    if (decoded === undefined) throw fault('a string is not what Huffman coding gives');
    return decoded;
  }

  private byte(): number {
    if (this.at >= this.end) throw fault('a header block ends inside a field');
    return this.bytes[this.at++] ?? 0;
  }
}

const EMPTY = Buffer.alloc(0);

function fault(message: string): ConnectionFault {
  return new ConnectionFault(ErrorCode.compression, message);
}
