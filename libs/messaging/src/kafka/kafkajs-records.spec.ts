import { decodeRecord, encodeRecord, type RecordSource, type RecordToEncode } from './kafkajs-records';

interface TheirRecord {
  (record: RecordToEncode): { readonly buffer: Buffer };
}

// Jest has its own module registry, so these are kafkajs' own.
// eslint-disable-next-line @typescript-eslint/no-require-imports
const theirs = require('kafkajs/src/protocol/recordBatch/record/v0/index.js') as TheirRecord;
// eslint-disable-next-line @typescript-eslint/no-require-imports
const theirDecoder = require('kafkajs/src/protocol/recordBatch/record/v0/decoder.js') as typeof decodeRecord;
// eslint-disable-next-line @typescript-eslint/no-require-imports
const Decoder = require('kafkajs/src/protocol/decoder.js') as new (
  buffer: Buffer,
) => RecordSource & { readVarInt(): number };

const samples: Record<string, RecordToEncode> = {
  plain: { key: Buffer.from('k'), value: Buffer.from('v'), headers: { a: 'b' } },
  'no key, no value, no headers': { key: null, value: null },
  'text instead of bytes': { key: 'schlüssel', value: 'wert ✓', headers: { größe: 'ä' } },
  'empty parts': { key: Buffer.alloc(0), value: Buffer.alloc(0), headers: { empty: '', bytes: Buffer.alloc(0) } },
  'repeated headers': { key: null, value: Buffer.from('v'), headers: { a: ['1', Buffer.from('2'), '3'], b: '4' } },
  'large deltas': { offsetDelta: 70_000, timestampDelta: 2_000_000_000, key: null, value: Buffer.alloc(100_000, 1) },
  'a negative delta': { timestampDelta: -5, key: null, value: Buffer.from('v') },
};

describe('encodeRecord', () => {
  it.each(Object.entries(samples))('writes the same bytes as kafkajs: %s', (_name, record) => {
    expect(encodeRecord(record).buffer.toString('hex')).toBe(theirs(record).buffer.toString('hex'));
  });

  it('writes null headers as null, which kafkajs cannot', () => {
    const source = sourceOf(encodeRecord({ key: null, value: null, headers: { none: null } }).buffer);
    expect(decodeRecord(source)['headers']).toEqual({ none: null });
  });
});

describe('decodeRecord', () => {
  const context = { firstOffset: '9007199254000000', firstTimestamp: '1764000000000', magicByte: 2 };

  it.each(Object.entries(samples))('reads the same as kafkajs: %s', (_name, record) => {
    const { buffer } = encodeRecord(record);
    const ours = sourceOf(buffer);
    const their = sourceOf(buffer);
    expect(decodeRecord(ours, context)).toEqual(theirDecoder(their, context));
    expect(ours.offset).toBe(their.offset);
    expect(ours.offset).toBe(buffer.length);
  });

  it('reads a header of any name', () => {
    const headers = Object.fromEntries([['__proto__', 'x']]);
    const { headers: read } = decodeRecord(sourceOf(encodeRecord({ key: null, value: null, headers }).buffer));
    expect(Object.entries(read as object)).toEqual([['__proto__', Buffer.from('x')]]);
  });

  it('takes the time of the batch when the broker set it', () => {
    const { buffer } = encodeRecord({ timestampDelta: 9, key: null, value: null });
    const read = decodeRecord(sourceOf(buffer), { ...context, timestampType: 1, maxTimestamp: '1764000009999' });
    expect(read['timestamp']).toBe('1764000009999');
  });
});

/** Behind the record's length, as kafkajs reads it. */
function sourceOf(buffer: Buffer): RecordSource {
  const decoder = new Decoder(buffer);
  decoder.readVarInt();
  return decoder;
}
