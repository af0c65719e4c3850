// Numbers, bytes and headers as Kafka's record format has them (https://kafka.apache.org/documentation/#record).
export type HeaderValue = Buffer | string | null | undefined;

/** Bytes of a zigzag varint; for numbers up to 2^52. */
export function sizeOfVarint(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let size = 1;
  while (rest >= 128) {
    rest = Math.floor(rest / 128);
    size += 1;
  }
  return size;
}

export class RecordWriter {
  /** `at`: where it begins to write. */
  constructor(
    private readonly target: Buffer,
    private at = 0,
  ) {}

  byte(value: number): void {
    this.target[this.at++] = value;
  }

  varint(value: number): void {
    let rest = value >= 0 ? value * 2 : -value * 2 - 1;
    while (rest >= 128) {
      this.target[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.target[this.at++] = rest;
  }

  /** With their length; null is the length −1. */
  bytes(value: Buffer | null): void {
    if (value === null) {
      this.varint(-1);
      return;
    }
    this.varint(value.length);
    this.raw(value);
  }

  raw(value: Buffer): void {
    this.at += value.copy(this.target, this.at);
  }
}

export class RecordReader {
  constructor(
    readonly source: Buffer,
    public at: number,
  ) {}

  byte(): number {
    return this.source.readInt8(this.at++);
  }

  varint(): number {
    let scale = 1;
    let result = 0;
    for (;;) {
      const byte = this.source[this.at++];
      if (byte === undefined) throw new RangeError('the record ends in the middle of a number');
      result += (byte & 127) * scale;
      if (byte < 128) break;
      scale *= 128;
    }
    return result % 2 === 0 ? result / 2 : -(result + 1) / 2;
  }

  bytes(): Buffer | null {
    const length = this.varint();
    return length < 0 ? null : this.raw(length);
  }

  /** A view, not a copy. */
  raw(length: number): Buffer {
    const start = this.at;
    this.at += length;
    if (this.at > this.source.length) throw new RangeError('the record ends in the middle of a value');
    return this.source.subarray(start, this.at);
  }

  text(): string {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    return this.source.toString('utf8', start, this.at);
  }

  /** A text of which there are few, such as the name of a header: it is made once. */
  name(): string {
    const length = this.varint();
    const start = this.at;
    this.at += length;
    return nameIn(this.source, start, length);
  }
}

/** A stranger may name headers at will: more than so many are not kept. */
const MOST_NAMES = 256;
const LONGEST_NAME = 64;

interface KnownName {
  readonly text: string;
  readonly bytes: Buffer;
  /** With its length before it. */
  readonly encoded: Buffer;
}

const knownNames = new Map<string, KnownName>();
const namesByLength: KnownName[][] = [];

function nameIn(source: Buffer, start: number, length: number): string {
  for (const { text, bytes } of namesByLength[length] ?? []) {
    let index = 0;
    while (index < length && bytes[index] === source[start + index]) index += 1;
    if (index === length) return text;
  }
  const text = source.toString('utf8', start, start + length);
  const bytes = Buffer.from(text, 'utf8');
  // Bytes that are no UTF-8 are not the bytes of their text.
  if (bytes.length === length && bytes.compare(source, start, start + length) === 0) learnName(text);
  return text;
}

function learnName(text: string): KnownName {
  const bytes = Buffer.from(text, 'utf8');
  const encoded = Buffer.allocUnsafe(sizeOfVarint(bytes.length) + bytes.length);
  new RecordWriter(encoded).bytes(bytes);
  const known = { text, bytes, encoded };
  if (bytes.length <= LONGEST_NAME && knownNames.size < MOST_NAMES && !knownNames.has(text)) {
    knownNames.set(text, known);
    (namesByLength[bytes.length] ??= []).push(known);
  }
  return known;
}

/**
 * Headers by name, each once and with bytes. A stranger names them: they meet no prototype but this empty one. (An object
 * without any would be a slow dictionary from the first header on.)
 */
export class PlainHeaders {
  readonly [name: string]: Buffer;
}
Object.setPrototypeOf(PlainHeaders.prototype, null);
Reflect.deleteProperty(PlainHeaders.prototype, 'constructor');

/** Headers that are encoded once, where an event is published, and only copied on their way to the log. */
export class HeaderBlock {
  readonly count: number;
  /** Of all of them, in bytes. */
  readonly size: number;

  /** `own` headers in `bytes`, and those of another block before them. */
  constructor(
    own: number,
    private readonly bytes: Buffer,
    private readonly before?: HeaderBlock,
  ) {
    this.count = own + (before?.count ?? 0);
    this.size = bytes.length + (before?.size ?? 0);
  }

  /** `before`: a block whose headers come first; it is not copied. */
  static of(
    headers: Readonly<Record<string, HeaderValue | readonly HeaderValue[]>>,
    before?: HeaderBlock,
  ): HeaderBlock {
    let count = 0;
    let at = 0;
    for (const name of Object.keys(headers)) {
      const given = headers[name];
      const { encoded } = knownNames.get(name) ?? learnName(name);
      for (const each of Array.isArray(given) ? (given as readonly HeaderValue[]) : [given as HeaderValue]) {
        at = putHeader(at, encoded, each ?? null);
        count += 1;
      }
    }
    const bytes = Buffer.allocUnsafe(at);
    scratch.copy(bytes, 0, 0, at);
    return new HeaderBlock(count, bytes, before);
  }

  writeTo(writer: RecordWriter): void {
    this.before?.writeTo(writer);
    writer.raw(this.bytes);
  }

  /** Of repeated ones the last counts, null ones say nothing. The values are views. */
  toRecord(): Record<string, Buffer> {
    const headers: Record<string, Buffer> = new PlainHeaders();
    this.readInto(headers);
    return headers;
  }

  private readInto(headers: Record<string, Buffer>): void {
    this.before?.readInto(headers);
    const reader = new RecordReader(this.bytes, 0);
    while (reader.at < this.bytes.length) {
      const name = reader.name();
      const value = reader.bytes();
      if (value !== null) headers[name] = value;
    }
  }
}

/** Where blocks are put together; their size is known only then. */
let scratch = Buffer.allocUnsafe(16_384);

/** Writes a header at this place of the scratch; where the next one goes. */
function putHeader(at: number, name: Buffer, value: Buffer | string | null): number {
  const most = name.length + 5 + (value === null ? 0 : value.length * 3);
  if (at + most > scratch.length) scratch = Buffer.concat([scratch], 2 * (at + most));
  name.copy(scratch, at);
  const start = at + name.length;
  if (value === null) return putVarint(start, -1);
  if (typeof value !== 'string') {
    const from = putVarint(start, value.length);
    return from + value.copy(scratch, from);
  }
  if (value.length <= SHORT_TEXT) {
    const end = putShortAscii(start, value);
    if (end > 0) return end;
  }
  // Most texts have as many bytes as characters.
  const guess = start + sizeOfVarint(value.length);
  const size = scratch.write(value, guess, 'utf8');
  const from = putVarint(start, size);
  return from === guess ? from + size : from + scratch.write(value, from, 'utf8');
}

/** Below this, writing characters one by one costs less than one call out of JavaScript; their number takes one byte. */
const SHORT_TEXT = 63;

/** Where it ends; 0 when it is not ASCII. */
function putShortAscii(at: number, text: string): number {
  scratch[at] = text.length * 2;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0x7f) return 0;
    scratch[at + 1 + index] = code;
  }
  return at + 1 + text.length;
}

function putVarint(at: number, value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1;
  let to = at;
  while (rest >= 128) {
    scratch[to++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  scratch[to++] = rest;
  return to;
}
