import { streamOf } from '../../test/builders';
import { patternFault } from './bounded-pattern';
import { faultsOf } from './definition-faults';

const FIELDS = { order: { type: 'string' }, placed: { type: 'timestamp' } };

function faults(spec: Record<string, unknown>, fields: Record<string, unknown> = {}): string[] {
  return faultsOf(streamOf({ fields: { ...FIELDS, ...fields }, ...spec }), []);
}

describe('a DataStream', () => {
  it('is accepted when key, event time and known time are declared timestamps and texts', () => {
    expect(faults({ knownTime: 'landed' }, { landed: { type: 'timestamp', required: false } })).toEqual([]);
  });

  it.each([
    [
      'a key that is not declared',
      { key: 'id' },
      {},
      'spec.key: "id" is not declared, expected one of spec.fields: order, placed',
    ],
    [
      'a key that is a number with a fraction',
      { key: 'x' },
      { x: { type: 'double' } },
      'spec.key: "x" has type double, expected string or int',
    ],
    [
      'an optional key',
      {},
      { order: { type: 'string', required: false } },
      'spec.key: "order" has required: false, a key must be there',
    ],
    [
      'an event time that is not declared',
      { eventTime: 'when' },
      {},
      'spec.eventTime: "when" is not declared, expected one of spec.fields: order, placed',
    ],
    [
      'an event time that is a text',
      { eventTime: 'order' },
      {},
      'spec.eventTime: "order" has type string, expected timestamp',
    ],
    [
      'an optional event time',
      {},
      { placed: { type: 'timestamp', required: false } },
      'spec.eventTime: "placed" has required: false, an event time must be there',
    ],
    [
      'a known time that is a text',
      { knownTime: 'order' },
      {},
      'spec.knownTime: "order" has type string, expected timestamp',
    ],
    [
      'a minimum of a text',
      {},
      { x: { type: 'string', min: 1 } },
      'spec.fields.x.min: not for type string, only int and double',
    ],
    [
      'a pattern of a number',
      {},
      { x: { type: 'int', pattern: '1' } },
      'spec.fields.x.pattern: not for type int, only string',
    ],
    ['bounds the wrong way round', {}, { x: { type: 'int', min: 2, max: 1 } }, 'spec.fields.x.min: 2 is above max 1'],
    ['a list of another type', {}, { x: { type: 'int', oneOf: ['1'] } }, 'spec.fields.x.oneOf: "1" is not of type int'],
    [
      'a field that would be a column of Headrace',
      {},
      { _key: { type: 'string' } },
      "spec.fields._key: names that begin with an underscore are kept for Headrace's own columns",
    ],
    [
      'fields that differ in case only',
      {},
      { Order: { type: 'string' } },
      'spec.fields.Order: differs from order in upper and lower case only',
    ],
    [
      "one of Headrace's own topics",
      { source: { kafka: { topic: 'data.orders.v1' } } },
      {},
      'spec.source.kafka.topic: "data.orders.v1" is not a topic that upstream systems can have',
    ],
  ])('is refused with %s', (_what, spec, fields, fault) => {
    expect(faults(spec, fields)).toEqual([fault]);
  });

  it('is refused when another stream reads its topic', () => {
    const other = streamOf({ source: { kafka: { topic: 'shop.orders' } } }, 'copies');
    expect(faultsOf(streamOf(), [other])).toEqual([
      'spec.source.kafka.topic: "shop.orders" is already read by DataStream/copies',
    ]);
  });

  it('is refused when an expectation stands twice', () => {
    const expectation = { name: 'positive', expression: 'record.order != ""' };
    expect(faults({ expectations: [expectation, expectation] })).toEqual([
      'spec.expectations: the name "positive" stands twice',
    ]);
  });
});

describe('a pattern', () => {
  it.each(['^[A-Z]{3}$', '^[0-9]{1,8}$', '^(?:AA|BB)-\\d{4}$', 'colou?r', '^[^@]+@[a-z]+$', '^[\\]a]\\(\\p{Lu}$', ''])(
    'such as %s is accepted',
    (source) => {
      expect(patternFault(source, 256)).toBeUndefined();
    },
  );

  it.each(['(a+)+$', '^(a|aa)*$', '^(a|a){30}$', 'a*a*a*a*b', '(?:x{0,200}){0,200}y', '((a*)*)*'])(
    'such as %s could run for ever and is refused',
    (source) => {
      expect(patternFault(source, 256)).toMatch(/^its cost over texts of 256 characters/);
    },
  );

  it.each([
    ['[a-', /^not a regular expression/],
    ['(a)\\1', /^back-references/],
    ['(?<x>a)\\k<x>', /^back-references/],
    ['(?=a)b', /^look-around/],
    ['(?<!a)b', /^look-around/],
  ])('such as %s is refused', (source, expected) => {
    expect(patternFault(source, 256)).toMatch(expected);
  });

  it('may repeat more over shorter texts', () => {
    expect(patternFault('^\\d+-\\d+-\\d+$', 256)).toBeDefined();
    expect(patternFault('^\\d+-\\d+-\\d+$', 60)).toBeUndefined();
  });
});
