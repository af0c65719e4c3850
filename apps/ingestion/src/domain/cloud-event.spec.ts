// The first part are the scenarios of features/kafka-protocol-binding.feature of github.com/cloudevents/conformance (the
// CloudEvents specification's own conformance cases), word for word; the rest are the rules of the specification's texts:
// spec.md (attributes), bindings/kafka-protocol-binding.md (modes) and formats/json-format.md (structured mode), v1.0.2.
import { RecordFields } from '@headrace/contracts/proto/ingestion/v1/record';
import { boolValue, doubleValue, intValue, missing, stringValue, timeValue } from '@headrace/definitions';
import { accepted, orderOf, recordOf, rulesOf } from '../../test/builders';
import { readCloudEvent, type CloudEvent } from './cloud-event';
import type { Violation } from './violation';

const ATTRIBUTES = {
  id: '1234-1234-1234',
  type: 'com.example.someevent',
  source: '/mycontext/subcontext',
  timeMicros: Date.UTC(2018, 3, 5, 3, 56, 24) * 1_000,
};
const STRUCTURED = 'application/cloudevents+json';

interface Read {
  readonly event: CloudEvent;
  /** What is at fault, before the colon. */
  readonly faults: string[];
  readonly messages: string[];
}

function read(value: string | Buffer | null, headers: Record<string, string | Buffer>): Read {
  const violations: Violation[] = [];
  const record = {
    topic: 'upstream',
    partition: 0,
    offset: 0,
    timestampMs: 0,
    key: null,
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, text]) => [name, Buffer.isBuffer(text) ? text : Buffer.from(text)]),
    ),
  };
  const event = readCloudEvent(record, violations);
  const messages = violations.map(({ message }) => message);
  return { event, messages, faults: messages.map((message) => message.split(':')[0] ?? '') };
}

/** The binary message of the feature, with changes; undefined removes a header. */
function binary(
  changes: Record<string, string | Buffer | undefined> = {},
  value: string | Buffer | null = '{"message": "Hello World!"}',
): Read {
  const headers: Record<string, string | Buffer | undefined> = {
    ce_specversion: '1.0',
    ce_id: '1234-1234-1234',
    ce_type: 'com.example.someevent',
    ce_source: '/mycontext/subcontext',
    ce_time: '2018-04-05T03:56:24Z',
    'content-type': 'application/json',
    ...changes,
  };
  const present = Object.entries(headers).filter((entry): entry is [string, string | Buffer] => entry[1] !== undefined);
  return read(value, Object.fromEntries(present));
}

/** The structured message of the feature, with changes; undefined removes a member. */
function structured(changes: Record<string, unknown> = {}, contentType = STRUCTURED): Read {
  const document = {
    specversion: '1.0',
    type: 'com.example.someevent',
    time: '2018-04-05T03:56:24Z',
    id: '1234-1234-1234',
    source: '/mycontext/subcontext',
    datacontenttype: 'application/json',
    data: { message: 'Hello World!' },
    ...changes,
  };
  return read(JSON.stringify(document), { 'content-type': contentType });
}

describe('Feature: Kafka Protocol Binding', () => {
  it('Scenario: Binary content mode', () => {
    const { event, messages } = binary();

    expect(messages).toEqual([]);
    expect(event).toMatchObject({ ...ATTRIBUTES, data: { message: 'Hello World!' } });
  });

  it.each(['application/cloudevents+json', 'application/cloudevents+json; charset=utf-8'])(
    'Scenario Outline: Structured content mode (%s)',
    (contentType) => {
      const { event, messages } = structured({}, contentType);

      expect(messages).toEqual([]);
      expect(event).toMatchObject({ ...ATTRIBUTES, data: { message: 'Hello World!' } });
    },
  );
});

describe('content modes', () => {
  it('are told apart by the content type, whatever its case', () => {
    expect(structured({}, 'Application/CloudEvents+JSON; CharSet="UTF-8"').messages).toEqual([]);
    expect(binary({ 'content-type': 'Application/JSON; Charset=UTF-8' }).messages).toEqual([]);
    expect(binary({ 'content-type': 'application/vnd.example.event+json' }).messages).toEqual([]);
  });

  it('are binary without a content type', () => {
    expect(binary({ 'content-type': undefined }).event.data).toEqual({ message: 'Hello World!' });
  });

  it('take the document, not the headers, in structured mode, which may carry both', () => {
    const value = JSON.stringify({ specversion: '1.0', id: 'inner', source: '/a', type: 't', data: {} });
    const { event, messages } = read(value, { 'content-type': STRUCTURED, ce_id: 'outer', ce_specversion: '1.0' });

    expect(messages).toEqual([]);
    expect(event.id).toBe('inner');
  });

  it('do not include the batch mode, which the Kafka binding does not have', () => {
    const { messages } = read('[]', { 'content-type': 'application/cloudevents-batch+json' });

    expect(messages).toEqual([
      'content-type: found "application/cloudevents-batch+json", expected application/cloudevents+json: the Kafka ' +
        'binding has no batch mode, send one event in each record',
    ]);
  });

  it.each(['application/cloudevents+avro', 'application/cloudevents+protobuf', 'application/cloudevents'])(
    'do not include the event format %s',
    (contentType) => {
      expect(read('{}', { 'content-type': contentType }).faults).toEqual(['content-type']);
    },
  );
});

describe('attributes', () => {
  it.each(['specversion', 'id', 'source', 'type'])('need %s, in both modes', (name) => {
    expect(binary({ [`ce_${name}`]: undefined }).faults).toEqual([`ce_${name}`]);
    expect(binary({ [`ce_${name}`]: '' }).faults).toEqual([`ce_${name}`]);
    expect(structured({ [name]: undefined }).faults).toEqual([name]);
    expect(structured({ [name]: null }).faults).toEqual([name]);
    expect(structured({ [name]: '' }).faults).toEqual([name]);
  });

  it('may leave out time, subject and dataschema, and write them as null in JSON', () => {
    expect(binary({ ce_time: undefined }).messages).toEqual([]);
    const absent = { time: null, subject: null, dataschema: null, datacontenttype: null, traceparent: null };
    expect(structured(absent)).toMatchObject({ messages: [], event: { timeMicros: undefined, subject: undefined } });
  });

  it.each(['subject', 'dataschema'])('have no empty %s', (name) => {
    expect(binary({ [`ce_${name}`]: '' }).faults).toEqual([`ce_${name}`]);
    expect(structured({ [name]: '' }).faults).toEqual([name]);
  });

  it.each(['0.3', '1.0.2', '2.0', 1])('have no specversion %s', (specversion) => {
    expect(structured({ specversion }).faults).toEqual(['specversion']);
  });

  it.each([
    'https://github.com/cloudevents',
    'mailto:cncf-wg-serverless@lists.cncf.io',
    'urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66',
    '/cloudevents/spec/pull/123',
    '/sensors/tn-1234567/alerts',
    '1-555-123-4567',
    '//host:8080/path?query=1#part',
    'http://[::1]:80/',
    '/m%C3%BCnchen',
    '#fragment',
  ])('have the source %s, a URI-reference', (source) => {
    expect(binary({ ce_source: source })).toMatchObject({ messages: [], event: { source } });
  });

  it.each(['a b', '/münchen', '/a%2', '1:2', '/a#b#c', '/a<b>', 'http://[::1', '/a[0]', '/a\\b'])(
    'have no source %s, which is no URI-reference',
    (source) => {
      expect(binary({ ce_source: source }).faults).toEqual(['ce_source']);
    },
  );

  it('have a dataschema that is an absolute URI', () => {
    expect(binary({ ce_dataschema: 'https://schemas.example.com/order/v1' }).messages).toEqual([]);
    expect(binary({ ce_dataschema: '/order/v1' }).faults).toEqual(['ce_dataschema']);
  });

  it.each(['2018-04-05T17:31:00Z', '2018-04-05t17:31:00.123456789z', '2018-04-05T17:31:00-08:00'])(
    'have the time %s of RFC 3339',
    (time) => {
      expect(binary({ ce_time: time }).messages).toEqual([]);
    },
  );

  it.each(['2018-04-05T17:31:00', '2018-04-05', '1522949460', 'yesterday', '2018-13-05T17:31:00Z'])(
    'have no time %s',
    (time) => {
      expect(binary({ ce_time: time }).faults).toEqual(['ce_time']);
    },
  );

  it.each(['ID2', 'my_extension', 'my-extension', 'größe', '', 'data'])(
    'have no name %j: only lower-case letters and digits',
    (name) => {
      expect(binary({ [`ce_${name}`]: 'x' }).faults).toEqual([`ce_${name}`]);
    },
  );

  it('have names of letters and digits in structured mode too', () => {
    expect(structured({ myExtension: 'x' }).faults).toEqual(['myExtension']);
    expect(structured({ myextension2: 'x' }).messages).toEqual([]);
  });

  it('are of the types of CloudEvents in structured mode', () => {
    expect(structured({ one: true, two: -2147483648, three: 'text', four: null }).messages).toEqual([]);
    for (const value of [{}, [], 1.5, 2147483648])
      expect(structured({ extension: value }).faults).toEqual(['extension']);
  });

  it.each(['a\u0000', 'a\n', 'a\u007f', 'a\u009f', 'a\ufdd0', 'a\uffff', 'a\udead'])(
    'hold no character that CloudEvents forbids: %j',
    (id) => {
      expect(structured({ id }).faults).toEqual(['id']);
    },
  );

  it('hold pairs of surrogates', () => {
    expect(structured({ id: '\ud83d\ude80' }).event.id).toBe('🚀');
  });

  it('are UTF-8', () => {
    expect(binary({ ce_id: Buffer.from([0x61, 0xff]) }).faults).toEqual(['ce_id']);
  });
});

describe('data', () => {
  it('are JSON when the structured document does not say', () => {
    expect(structured({ datacontenttype: undefined }).event.data).toEqual({ message: 'Hello World!' });
  });

  it('are a JSON value, not a text with JSON in it', () => {
    expect(structured({ data: '{"message": "Hello World!"}' }).messages).toEqual([
      'data: found "{\\"message\\": \\"Hello World!\\"}", expected a JSON object',
    ]);
  });

  it('stand in a structured document once', () => {
    expect(structured({ data_base64: 'e30=' }).faults).toEqual(['data']);
  });

  it.each(['e30=', 'e30'])('may be Base64: %s', (data_base64) => {
    expect(structured({ data: undefined, data_base64 })).toMatchObject({ messages: [], event: { data: {} } });
  });

  it.each(['{}', 'e30==', 7, null])('are not %s as Base64', (data_base64) => {
    expect(structured({ data: undefined, data_base64 }).faults).toEqual(['data_base64']);
  });

  describe('as protobuf', () => {
    const order = RecordFields.encode({
      fields: {
        order: stringValue('A-1'),
        placed: timeValue(Date.UTC(2025, 5, 1, 12) * 1_000),
        items: intValue(2),
        total: doubleValue(19.5),
        paid: boolValue(true),
        country: missing,
      },
    }).finish();
    const bytes = Buffer.from(order);

    it('are accepted as the same record that JSON data make', () => {
      const protobuf = accepted(recordOf({ value: bytes, headers: { 'content-type': 'application/protobuf' } }));
      const json = accepted(recordOf({ data: orderOf({ paid: true, country: null }) }));

      expect(protobuf.fields).toEqual(json.fields);
      expect(protobuf).toMatchObject({ key: json.key, eventTimeMicros: json.eventTimeMicros });
    });

    it('are accepted in structured mode as Base64', () => {
      const { event, messages } = structured({
        datacontenttype: 'application/protobuf',
        data: undefined,
        data_base64: bytes.toString('base64'),
      });
      expect(messages).toEqual([]);
      expect(event.data).toMatchObject({ order: 'A-1', items: 2 });
      expect(structured({ datacontenttype: 'application/protobuf' }).faults).toEqual(['data_base64']);
    });

    it('may hold fields that this version does not know', () => {
      // Field 15, varint 1.
      const more = Buffer.concat([bytes, Buffer.from([0x78, 0x01])]);
      const record = recordOf({ value: more, headers: { 'content-type': 'application/protobuf' } });
      expect(accepted(record, rulesOf()).key).toBe('A-1');
    });

    it.each([
      ['cut off', bytes.subarray(0, bytes.byteLength - 1)],
      ['absent', null],
      ['JSON', Buffer.from('{"order": "A-1"}')],
    ])('are undecodable when %s', (_what, value) => {
      const { event, messages } = binary({ 'content-type': 'application/protobuf' }, value);
      expect(event.data).toBeUndefined();
      expect(messages).toEqual([expect.stringContaining('headrace.ingestion.v1.RecordFields')]);
    });
  });
});
