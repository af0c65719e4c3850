import type { KeptRecord } from '../domain/kept-records';
import { RecordCache } from './record-cache';

const record = (eventTime: number, knownTime = eventTime): KeptRecord => ({ eventTime, knownTime, halves: [] });
const times = (records: readonly KeptRecord[]): number[] => records.map(({ eventTime }) => eventTime);

describe('the cache of final records', () => {
  it('keeps what the watermark has passed, in the order of event time, and nothing beyond', () => {
    const cache = new RecordCache(100, 1_000);
    const entry = cache.open('A');
    cache.merge('A', entry, 20, [record(10), record(5, 12), record(25)]);
    expect(times(entry.records)).toEqual([5, 10]);
    expect(entry.completeTo).toBe(20);
    expect(cache.recordCount).toBe(2);
  });

  it('takes a record once when two reads that ran together bring it', () => {
    const cache = new RecordCache(100, 1_000);
    const entry = cache.open('A');
    cache.merge('A', entry, 30, [record(10), record(25)]);
    cache.merge('A', entry, 20, [record(10)]);
    cache.merge('A', entry, 40, [record(10), record(25), record(35)]);
    expect(times(entry.records)).toEqual([10, 25, 35]);
    expect(entry.completeTo).toBe(40);
  });

  it('keeps nothing as final while a partition has no watermark', () => {
    const cache = new RecordCache(100, 1_000);
    const entry = cache.open('A');
    cache.merge('A', entry, -Infinity, [record(10)]);
    expect(entry).toEqual({ completeTo: -Infinity, records: [] });
  });

  it('forgets what lies further back than any read may ask', () => {
    const cache = new RecordCache(100, 50);
    const entry = cache.open('A');
    cache.merge('A', entry, 20, [record(10), record(20)]);
    cache.merge('A', entry, 65, []);
    expect(times(entry.records)).toEqual([20]);
    expect(cache.recordCount).toBe(1);
  });

  it('drops the entity that was not asked for longest when it is full', () => {
    const cache = new RecordCache(6, 1_000);
    for (const entity of ['A', 'B']) cache.merge(entity, cache.open(entity), 20, [record(1), record(2)]);
    cache.open('A');
    cache.merge('C', cache.open('C'), 20, [record(3)]);
    expect(cache.open('A').records).toHaveLength(2);
    expect(cache.open('B').records).toHaveLength(0);
  });

  it('begins again after a correction, while what is being read still answers', () => {
    const cache = new RecordCache(100, 1_000);
    const entry = cache.open('A');
    cache.reset(1);
    cache.merge('A', entry, 20, [record(10)]);
    expect(entry.records).toHaveLength(1);
    expect(cache.open('A').records).toHaveLength(0);
    expect(cache.recordCount).toBe(0);
    expect(cache.corrections).toBe(1);
  });
});
