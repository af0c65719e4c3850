import { accepted, CLOCK, orderOf, recordOf, rejected, rulesOf } from '../../test/builders';
import type { Judgement } from './judge-record';
import { sortBatch } from './sort-batch';

const rules = rulesOf({
  knownTime: 'known',
  fields: {
    order: { type: 'string' },
    placed: { type: 'timestamp' },
    known: { type: 'timestamp', required: false },
  },
});
const micros = (second: number): number => Date.UTC(2025, 0, 1, 0, 0, second) * 1_000;

function good(id: string, knownSecond?: number): Judgement {
  const known = knownSecond === undefined ? undefined : new Date(micros(knownSecond) / 1_000).toISOString();
  return accepted(recordOf({ id, data: orderOf({ known }) }), rules);
}

function from(source: string, id: string): Judgement {
  return accepted(recordOf({ id, data: orderOf(), headers: { ce_source: source } }), rules);
}

function bad(id: string): Judgement {
  return rejected(recordOf({ id, value: 'x' }), rules);
}

function sort(judgements: Judgement[], fresh: string[], lastKnown?: number) {
  const sorted = sortBatch(judgements, new Set(fresh.map((id) => `/shop ${id}`)), lastKnown, CLOCK);
  return {
    accepted: sorted.accepted.map(({ accepted: one, knownTimeMicros }) => [one.upstreamId, knownTimeMicros]),
    rejected: sorted.rejected.map((one) => one.upstreamId),
    duplicates: sorted.duplicates,
    last: sorted.lastKnownMicros,
  };
}

describe('sorting a batch', () => {
  it('keeps two records of one id from two sources: ids are unique within their source', () => {
    const fresh = new Set(['/shop 1', '/till 1']);
    const sorted = sortBatch([from('/shop', '1'), from('/till', '1'), from('/shop', '1')], fresh, undefined, CLOCK);
    expect(sorted.accepted).toHaveLength(2);
    expect(sorted.duplicates).toBe(1);
  });

  it('drops what an earlier batch accepted and what repeats within this one', () => {
    const sorted = sort([good('a', 1), good('b', 2), good('a', 3), good('old', 4)], ['a', 'b']);
    expect(sorted.accepted).toEqual([
      ['a', micros(1)],
      ['b', micros(2)],
    ]);
    expect(sorted.duplicates).toBe(2);
  });

  it('rejects a repeat of a rejected record again, and accepts the id once a good record brings it', () => {
    const sorted = sort([bad('a'), bad('a'), good('a', 1)], ['a']);
    expect(sorted).toMatchObject({ rejected: ['a', 'a'], duplicates: 0, accepted: [['a', micros(1)]] });
  });

  it('accounts for every record', () => {
    const judgements = [good('a', 1), bad('b'), good('a', 1), good('c', 1), bad('b')];
    const sorted = sort(judgements, ['a', 'c']);
    expect(sorted.accepted.length + sorted.rejected.length + sorted.duplicates).toBe(judgements.length);
  });

  it('never lets known time go back within a partition', () => {
    expect(sort([good('a', 5), good('b', 3), good('c', 9)], ['a', 'b', 'c'], micros(4)).accepted).toEqual([
      ['a', micros(5)],
      ['b', micros(5)],
      ['c', micros(9)],
    ]);
    expect(sort([good('a', 1)], ['a'], micros(4)).accepted).toEqual([['a', micros(4)]]);
  });

  it('takes the clock where no known time is declared', () => {
    expect(sort([good('a')], ['a']).accepted).toEqual([['a', CLOCK]]);
  });

  it('does not move known time by records that are not accepted', () => {
    expect(sort([good('old', 9), bad('b')], [], micros(1)).last).toBe(micros(1));
  });
});
