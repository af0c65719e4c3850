import { compileExpression, kinds } from '@headrace/definitions';
import { labelRecord, type AnswerField } from './label-record';

const stream = kinds.DataStream.parse({
  apiVersion: 'headrace.dev/v1',
  kind: 'DataStream',
  metadata: { name: 'arrivals' },
  spec: {
    source: { kafka: { topic: 'arrivals' } },
    key: 'flight',
    eventTime: 'landed',
    knownTime: 'heard',
    fields: {
      flight: { type: 'int' },
      landed: { type: 'timestamp' },
      heard: { type: 'timestamp' },
      delay: { type: 'double' },
      diverted: { type: 'bool', required: false },
      gate: { type: 'string', required: false },
    },
  },
}).spec;
const prediction = { joinKey: '42', asOfMicros: 983_430_041_000_001 };
const AT = '2001-03-01T07:00:41.000001Z';

function answer(given: Record<string, AnswerField>, expression = 'record.delay > 15.0') {
  return labelRecord(stream, given, prediction, compileExpression(expression, 'record'), 'binary');
}

describe("a person's answer", () => {
  it('becomes a whole record: the key in its own type, times that are not given as of the prediction', () => {
    expect(answer({ delay: 25, gate: 'B7' })).toEqual({
      kind: 'record',
      label: 1,
      record: { flight: 42, landed: AT, heard: AT, delay: 25, gate: 'B7' },
    });
    const landed = '2001-03-01T09:00:00+01:00';
    expect(answer({ delay: 3, landed })).toMatchObject({ label: 0, record: { landed, heard: AT } });
  });

  it.each([
    [{ delay: 25, speed: 1 }, 'the stream has no field "speed"'],
    [{}, 'delay: expected a number'],
    [{ delay: '25' }, 'delay: found "25", expected a number'],
    [{ delay: 25, landed: 'yesterday' }, 'landed: found "yesterday", expected a time such as'],
    [{ delay: 25, diverted: 'no' }, 'diverted: found "no", expected true or false'],
    [{ delay: 25, flight: 43 }, 'flight: the prediction\'s key is "42"; leave it out'],
  ])('is refused with the reason: %j', (given, message) => {
    const found = answer(given as Record<string, AnswerField>);
    expect(found.kind === 'faulty' ? found.message : found).toContain(message);
  });

  it('is refused when the Monitor makes no label of it', () => {
    expect(answer({ delay: 25 }, 'record.gate == "B7"')).toMatchObject({ kind: 'faulty' });
    expect(answer({ delay: 25 }, 'record.delay')).toMatchObject({
      message: 'the label expression of the Monitor gives neither true nor false for this record',
    });
  });
});
