import { events } from '@headrace/contracts';
import { TrainingFailed } from '@headrace/contracts/proto/training/v1/training_events';
import { decode, encodeAttributes, follow } from './envelope';
import { formatMicros, parseMicros } from './rfc3339';
import { normaliseHeaders, restoreHeaders, storeHeaders } from './stored-record';
import type { RawRecord } from './types';

const attributes = {
  id: 'e1',
  source: '/headrace/training',
  type: events.TrainingFailed.type,
  timeMicros: 1_700_000_000_123_456,
  subject: 'daily',
  correlationId: 'c1',
  causationId: 'e0',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
};

function record(
  change: Record<string, string | undefined> = {},
  value: Buffer | null | undefined = undefined,
): RawRecord {
  const headers = {
    ...encodeAttributes(attributes).toRecord(),
    ce_producershard: 'training/3',
    ce_producersequence: '42',
    ...change,
  };
  return {
    topic: 'training.v1',
    partition: 2,
    offset: 7,
    timestampMs: 0,
    key: Buffer.from('daily'),
    value:
      value === undefined
        ? Buffer.from(TrainingFailed.encode(TrainingFailed.fromPartial({ plan: 'daily' })).finish())
        : value,
    headers: normaliseHeaders(headers),
  };
}

describe('envelope', () => {
  it('reads back what it wrote', () => {
    const decoded = decode(record());
    if (decoded.kind !== 'event') throw new Error(JSON.stringify(decoded));
    expect(decoded.event).toMatchObject({
      eventId: 'e1',
      source: '/headrace/training',
      timeMicros: 1_700_000_000_123_456,
      subject: 'daily',
      correlationId: 'c1',
      causationId: 'e0',
      traceparent: attributes.traceparent,
      producer: { shard: 'training/3', sequence: 42 },
      topic: 'training.v1',
      partition: 2,
      offset: 7,
      key: 'daily',
      data: { plan: 'daily' },
    });
  });

  it.each([
    ['ce_specversion', '0.3'],
    ['ce_specversion', undefined],
    ['ce_id', ''],
    ['ce_source', undefined],
    ['ce_type', undefined],
    ['ce_time', 'yesterday'],
    ['ce_correlationid', undefined],
    ['ce_producershard', undefined],
    ['ce_producersequence', '-1'],
    ['ce_producersequence', '1.5'],
    ['content-type', 'application/json'],
  ])('names the header that is at fault: %s = %s', (name, value) => {
    const decoded = decode(record({ [name]: value }));
    expect(decoded).toMatchObject({ kind: 'undecodable', code: 'invalid_header' });
    expect(decoded.kind === 'undecodable' && decoded.message).toContain(`header ${name}:`);
  });

  it('tells an unknown type from data that is not the message, and from no data', () => {
    expect(decode(record({ ce_type: 'headrace.unheard.v1.Of' }))).toEqual({
      kind: 'unknown-type',
      type: 'headrace.unheard.v1.Of',
    });
    expect(decode(record({}, Buffer.from([0xff])))).toMatchObject({ kind: 'undecodable', code: 'invalid_data' });
    expect(decode(record({}, null))).toMatchObject({ kind: 'undecodable', code: 'invalid_data' });
  });

  it('does not hand on a trace context that is not valid', () => {
    for (const traceparent of ['nonsense', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, '\xff']) {
      const decoded = decode(record({ traceparent }));
      if (decoded.kind !== 'event') throw new Error(JSON.stringify(decoded));
      expect(decoded.event.traceparent).toBeUndefined();
    }
  });

  it('begins a chain with the event itself, and continues one from its cause', () => {
    expect(follow(null, 'e9')).toEqual({ correlationId: 'e9', causationId: '' });
    expect(follow({ eventId: 'e1', correlationId: 'c1' }, 'e9')).toEqual({ correlationId: 'c1', causationId: 'e1' });
  });
});

describe('times', () => {
  it.each([
    [0, '1970-01-01T00:00:00.000000Z'],
    [1_700_000_000_123_456, '2023-11-14T22:13:20.123456Z'],
    [-1, '1969-12-31T23:59:59.999999Z'],
  ])('%d microseconds are %s and back', (micros, text) => {
    expect(formatMicros(micros)).toBe(text);
    expect(parseMicros(text)).toBe(micros);
  });

  it('take offsets and other fractions, and no other text', () => {
    expect(parseMicros('1970-01-01T01:00:00.5+01:00')).toBe(500_000);
    expect(parseMicros('1970-01-01T00:00:00.123456789Z')).toBe(123_456);
    expect(parseMicros('1970-01-01 00:00:00Z')).toBeUndefined();
    expect(parseMicros('1970-13-01T00:00:00Z')).toBeUndefined();
  });
});

describe('stored headers', () => {
  it('come back byte for byte, also those that are not text', () => {
    const headers = {
      text: Buffer.from('é'),
      nul: Buffer.from('a\0b'),
      bytes: Buffer.from([0xff, 0xfe]),
      empty: Buffer.alloc(0),
    };
    expect(restoreHeaders(storeHeaders(headers))).toEqual(headers);
    expect(storeHeaders(headers)['text']).toBe('é');
  });

  it('take the last of repeated ones', () => {
    expect(normaliseHeaders({ h: ['a', Buffer.from('b')], none: undefined })).toEqual({ h: Buffer.from('b') });
  });
});
