import { DeadLetterFold } from './dead-letter-fold';
import { deadLetterRow, settledRow } from './dead-letters';
import { decodeRedrive, redriveMessage } from './redrive-command';
import type { OutboxEvent } from './outbox';
import type { RawRecord } from './types';

const original: RawRecord = {
  topic: 'orders',
  partition: 1,
  offset: 42,
  timestampMs: 1_700_000_000_000,
  key: Buffer.from('k'),
  value: Buffer.from([1, 2]),
  headers: { h: Buffer.from('x') },
};
const letter = { reason: 'rejected', code: 'no', message: 'no' } as const;
const asked = { by: 'ada', reason: 'mended', atMicros: 1e15 };

/** As the relay publishes it. */
function published(row: OutboxEvent): RawRecord {
  const { topic, key, value } = row;
  return { topic, partition: 0, offset: 0, timestampMs: 5, key, value, headers: row.headers.toRecord() };
}
const died = (id: string, attempt = 1, keyParked = false): RawRecord =>
  published(deadLetterRow(original, 'g', letter, { id, attempt, keyParked }));
const settled = (id: string, outcome: 'redriven' | 'dropped'): RawRecord =>
  published(settledRow(original, 'g', { id, attempt: 1 }, { ...asked, outcome }));
const command = (letterId: string) => redriveMessage('g', { action: 'redrive', letterId, record: original, ...asked });

function fold(...records: RawRecord[]): DeadLetterFold {
  const folded = new DeadLetterFold();
  for (const record of records) expect(folded.add(record)).toBe(true);
  return folded;
}

describe('letters as the log tells them', () => {
  it('have the original record, unchanged', () => {
    const [found] = fold(died('a', 1, true)).all();
    expect(found?.record).toEqual(original);
    expect(found).toMatchObject({ id: 'a', group: 'g', reason: 'rejected', keyParked: true, state: { kind: 'open' } });
  });

  it('are settled by their marker, and open again when the event dies once more', () => {
    expect(fold(died('a'), settled('a', 'redriven')).all()[0]?.state).toMatchObject({ kind: 'redriven', by: 'ada' });
    expect(fold(died('a'), settled('a', 'dropped')).all()[0]?.state).toMatchObject({ kind: 'dropped' });
    expect(fold(died('a'), died('b', 2)).all()).toMatchObject([{ id: 'b', attempt: 2, state: { kind: 'open' } }]);
  });

  it('stay settled when the relay publishes letter or marker once more', () => {
    const twice = fold(died('a'), settled('a', 'redriven'), died('a'), settled('a', 'redriven'));
    expect(twice.all()).toMatchObject([{ state: { kind: 'redriven' } }]);
    expect(fold(died('a'), died('b', 2), settled('a', 'redriven')).all()).toMatchObject([{ state: { kind: 'open' } }]);
  });

  it('are asked about while a command stands on the redrive topic, whichever is read first', () => {
    const folded = fold(died('a'));
    const { key, value, headers } = command('a');
    folded.addCommand({ ...original, key, value, headers: headers as RawRecord['headers'] });
    expect(folded.all()[0]?.state).toMatchObject({ kind: 'asked', action: 'redrive', by: 'ada' });
    expect(folded.add(settled('a', 'redriven'))).toBe(true);
    expect(folded.all()[0]?.state).toMatchObject({ kind: 'redriven' });
  });

  it('are nothing else that stands on the topic', () => {
    expect(new DeadLetterFold().add(original)).toBe(false);
  });
});

describe('a redrive command', () => {
  const written = (change: Record<string, string | undefined> = {}): RawRecord => {
    const { key, value, headers } = command('a');
    const all = Object.entries({ ...headers, ...change }).flatMap(([name, text]) =>
      text === undefined ? [] : [[name, Buffer.from(text)] as const],
    );
    return { ...original, topic: 'g.redrive', partition: 0, offset: 3, key, value, headers: Object.fromEntries(all) };
  };

  it('carries the original record', () => {
    expect(decodeRedrive(written())).toEqual({ action: 'redrive', letterId: 'a', record: original, ...asked });
  });

  it.each([
    ['redrive_action', 'again'],
    ['redrive_letter', undefined],
    ['redrive_offset', '-1'],
    ['redrive_time', 'yesterday'],
    ['redrive_by', 'a\0b'],
  ])('is refused with a word about %s', (header, text) => {
    expect(decodeRedrive(written({ [header]: text }))).toEqual({ fault: expect.stringContaining(header) as string });
  });
});
