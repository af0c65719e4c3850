import { scalarOf } from '@headrace/definitions';
import { accepted, orderOf, recordOf, rejected, rulesOf, type RecordParts } from '../../test/builders';
import { MAX_VALUE_BYTES } from './judge-record';

function violationsOf(parts: RecordParts, spec?: Record<string, unknown>): string[] {
  return rejected(recordOf(parts), rulesOf(spec)).violations.map(({ field, code }) => `${field}:${code}`);
}

function structured(changes: Record<string, unknown> = {}): RecordParts {
  const event = { specversion: '1.0', id: 'event-1', source: '/shop', type: 'order', data: orderOf(), ...changes };
  return {
    value: JSON.stringify(event),
    headers: { 'content-type': 'application/cloudevents+json; charset=UTF-8', ce_id: undefined },
  };
}

describe('judging a record', () => {
  it('accepts a good one with its key, its times and exactly the declared fields', () => {
    const record = accepted(recordOf({ data: orderOf({ paid: true, note: 'not declared' }) }));

    expect(record).toMatchObject({ key: 'A-1', upstreamId: 'event-1', correlationId: 'event-1', warnings: [] });
    expect(record.eventTimeMicros).toBe(Date.UTC(2025, 5, 1, 12) * 1_000);
    expect(record.declaredKnownTimeMicros).toBeUndefined();
    expect(Object.entries(record.fields).map(([name, value]) => [name, scalarOf(value)])).toEqual([
      ['order', 'A-1'],
      ['placed', Date.UTC(2025, 5, 1, 12) * 1_000],
      ['items', 2],
      ['total', 19.5],
      ['paid', true],
      ['country', null],
      ['channel', null],
    ]);
  });

  it('takes the key from a whole number too', () => {
    const fields = { order: { type: 'int' }, placed: { type: 'timestamp' } };
    expect(accepted(recordOf({ data: orderOf({ order: 42 }) }), rulesOf({ fields })).key).toBe('42');
  });

  it('takes the correlation and the trace of the upstream system over when they are well-formed', () => {
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    expect(accepted(recordOf({ headers: { ce_correlationid: 'loop', traceparent } }))).toMatchObject({
      correlationId: 'loop',
      traceparent,
    });
    for (const invalid of [
      'nonsense',
      `01-${'a'.repeat(32)}-${'b'.repeat(16)}-01`,
      `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
    ])
      expect(accepted(recordOf({ headers: { ce_correlationid: '', traceparent: invalid } }))).toMatchObject({
        correlationId: 'event-1',
        traceparent: undefined,
      });
  });

  describe('envelope', () => {
    it('accepts structured mode', () => {
      expect(accepted(recordOf(structured()))).toMatchObject({ upstreamId: 'event-1', key: 'A-1' });
    });

    it('accepts structured mode with base64 data', () => {
      const data_base64 = Buffer.from(JSON.stringify(orderOf())).toString('base64');
      expect(accepted(recordOf(structured({ data: undefined, data_base64 }))).key).toBe('A-1');
    });

    it('accepts a JSON record without a content type, as the binding has it', () => {
      expect(accepted(recordOf({ headers: { 'content-type': undefined } })).key).toBe('A-1');
    });

    it.each([
      ['no id', { headers: { ce_id: undefined } }],
      ['an empty source', { headers: { ce_source: '' } }],
      ['no type', { headers: { ce_type: undefined } }],
      ['another version', { headers: { ce_specversion: '0.3' } }],
      ['a time without offset', { headers: { ce_time: '2025-06-01T12:00:00' } }],
      ['an id with U+0000', { id: 'a\0b' }],
      ['an endless id', { id: 'x'.repeat(600) }],
      ['data that are neither JSON nor protobuf', { headers: { 'content-type': 'application/avro' } }],
      ['another character set', { headers: { 'content-type': 'application/json; charset=latin1' } }],
      ['structured mode without id', structured({ id: undefined })],
      ['structured mode with a number as id', structured({ id: 7 })],
      ['structured mode with data of another type', structured({ datacontenttype: 'text/plain' })],
    ])('refuses %s', (_what, parts) => {
      expect(violationsOf(parts)).toEqual([':bad_envelope']);
    });

    it('refuses a batch in one record', () => {
      expect(violationsOf({ headers: { 'content-type': 'application/cloudevents-batch+json' } })).toEqual([
        ':bad_envelope',
      ]);
    });

    it('names each attribute that is missing when there is no envelope at all', () => {
      const record = rejected({ ...recordOf(), headers: {} });
      expect(record.violations.map((violation) => violation.message.split(':')[0])).toEqual([
        'ce_specversion',
        'ce_id',
        'ce_source',
        'ce_type',
      ]);
    });
  });

  describe('value', () => {
    it.each([
      ['a tombstone', { value: null }],
      ['an empty value', { value: '' }],
      ['half of a JSON document', { value: '{"order": "A-1", ' }],
      ['a JSON array', { value: '[1]' }],
      ['a JSON null', { value: 'null' }],
      ['bytes that are not UTF-8', { value: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]) }],
      ['structured mode that is no JSON', { ...structured(), value: 'order' }],
      ['structured mode without data', structured({ data: undefined })],
    ])('refuses %s as undecodable', (_what, parts) => {
      expect(violationsOf(parts)).toEqual([':undecodable']);
    });

    it('reads U+FFFD that was really written', () => {
      const fields = { order: { type: 'string' }, placed: { type: 'timestamp' } };
      expect(accepted(recordOf({ data: orderOf({ order: '\ufffd' }) }), rulesOf({ fields })).key).toBe('\ufffd');
    });

    it('refuses one that is too large without reading it', () => {
      const value = JSON.stringify(orderOf({ note: 'x'.repeat(MAX_VALUE_BYTES) }));
      expect(violationsOf({ value })).toEqual([':too_large']);
    });
  });

  describe('fields', () => {
    it.each([
      ['a text for a number', { items: '2' }, 'items:wrong_type'],
      ['a number for a text', { order: 7 }, 'order:wrong_type'],
      ['half an item', { items: 2.5 }, 'items:wrong_type'],
      ['a whole number that JSON cannot carry exactly', { items: 9007199254740993 }, 'items:out_of_range'],
      ['too few', { items: 0 }, 'items:out_of_range'],
      ['too many', { items: 101 }, 'items:out_of_range'],
      ['a text for a truth', { paid: 'true' }, 'paid:wrong_type'],
      ['a text that is too long', { order: 'x'.repeat(21) }, 'order:out_of_range'],
      ['a text against the pattern', { country: 'Deutschland' }, 'country:not_allowed'],
      ['a text beyond the list', { channel: 'fax' }, 'channel:not_allowed'],
      ['U+0000, which no database keeps', { order: 'A\0' }, 'order:not_allowed'],
      ['a lone surrogate, which is no UTF-8', { order: 'A\ud800' }, 'order:not_allowed'],
      ['a key that is not there', { order: undefined }, 'order:missing'],
      ['a required null', { total: null }, 'total:missing'],
      ['an empty key', { order: '' }, 'order:missing'],
      ['a time without offset', { placed: '2025-06-01T12:00:00' }, 'placed:wrong_type'],
      ['a time as a number', { placed: 1748779200 }, 'placed:wrong_type'],
      ['30 February', { placed: '2025-02-30T12:00:00Z' }, 'placed:wrong_type'],
      ['the year 1500, beyond microseconds', { placed: '1500-01-01T00:00:00Z' }, 'placed:out_of_range'],
      ['a field that only the prototype has', { order: 'A', items: undefined }, 'items:missing'],
    ])('refuses %s', (_what, changes, expected) => {
      expect(violationsOf({ data: orderOf(changes) })).toEqual([expected]);
    });

    it('refuses a number that only infinity can hold', () => {
      const value = JSON.stringify(orderOf()).replace('19.5', '1e400');
      expect(violationsOf({ value })).toEqual(['total:out_of_range']);
    });

    it('does not find fields on the prototype of JSON objects', () => {
      const fields = { order: { type: 'string' }, placed: { type: 'timestamp' }, constructor: { type: 'string' } };
      expect(violationsOf({}, { fields })).toEqual(['constructor:missing']);
    });

    it('accepts 29 February of a leap year and the last day of a month', () => {
      for (const placed of ['2024-02-29T00:00:00Z', '2025-12-31T23:59:59.999999+14:00']) {
        expect(accepted(recordOf({ data: orderOf({ placed }) })).kind).toBe('accepted');
      }
    });

    it('says what was found and what would be right', () => {
      const [violation] = rejected(recordOf({ data: orderOf({ items: '2' }) })).violations;
      expect(violation.message).toBe('found "2", expected a whole number within ±(2^53 − 1), at least 1, at most 100');
    });

    it('collects every violation of a record', () => {
      const data = { order: '', placed: 'soon', items: 1.5, country: 'x' };
      expect(violationsOf({ data, headers: { ce_type: undefined } })).toEqual([
        ':bad_envelope',
        'placed:wrong_type',
        'items:wrong_type',
        'total:missing',
        'country:not_allowed',
        'order:missing',
      ]);
    });
  });

  describe('expectations', () => {
    const expectation = (expression: string, action = 'reject') => ({
      expectations: [{ name: 'sensible', expression, action, message: 'must make sense' }],
    });

    it('rejects when one is false', () => {
      const spec = expectation('record.total > 100.0');
      expect(violationsOf({}, spec)).toEqual([':expectation']);
      expect(rejected(recordOf(), rulesOf(spec)).violations[0].message).toBe(
        'sensible: must make sense; found false for record.total > 100.0, expected true',
      );
    });

    it('rejects when one cannot be computed', () => {
      expect(violationsOf({}, expectation('record.unknown > 1.0'))).toEqual([':expectation']);
    });

    it('does not blame an expectation for a field that is refused already', () => {
      expect(violationsOf({ data: orderOf({ total: 'much' }) }, expectation('record.total > 1.0'))).toEqual([
        'total:wrong_type',
      ]);
    });

    it('sees absent optional fields as null', () => {
      expect(accepted(recordOf(), rulesOf(expectation('record.country == null'))).kind).toBe('accepted');
    });

    it('accepts with a warning when its action says so', () => {
      expect(accepted(recordOf(), rulesOf(expectation('record.total > 100.0', 'warn'))).warnings).toEqual(['sensible']);
    });
  });

  describe('known time', () => {
    const fields = {
      order: { type: 'string' },
      placed: { type: 'timestamp' },
      paid_at: { type: 'timestamp', required: false },
    };
    const spec = { fields, knownTime: 'paid_at' };

    it('is the declared field', () => {
      const record = accepted(recordOf({ data: orderOf({ paid_at: '2025-06-02T00:00:00Z' }) }), rulesOf(spec));
      expect(record.declaredKnownTimeMicros).toBe(Date.UTC(2025, 5, 2) * 1_000);
    });

    it('is left to the clock when the field is optional and absent', () => {
      expect(accepted(recordOf(), rulesOf(spec)).declaredKnownTimeMicros).toBeUndefined();
    });

    it('is refused from the future, which would hold all later records up', () => {
      expect(violationsOf({ data: orderOf({ paid_at: '2200-01-01T00:00:00Z' }) }, spec)).toEqual([
        'paid_at:out_of_range',
      ]);
    });
  });

  describe('what is known of a refused record', () => {
    it('is its own key and event time when they can be read', () => {
      expect(rejected(recordOf({ data: orderOf({ items: 0 }), key: 'upstream' }))).toMatchObject({
        key: 'A-1',
        eventTimeMicros: Date.UTC(2025, 5, 1, 12) * 1_000,
        upstreamId: 'event-1',
      });
    });

    it('is the upstream key otherwise', () => {
      expect(rejected(recordOf({ value: 'x', key: 'upstream' }))).toMatchObject({
        key: 'upstream',
        eventTimeMicros: undefined,
      });
    });
  });
});
