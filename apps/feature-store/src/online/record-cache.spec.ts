import { compiled, featureView } from '../../test/builders';
import type { StreamProgress } from '../database/progress.repository';
import { planAccumulators } from '../domain/accumulators';
import { toUnits } from '../domain/fixed-point';
import { halvesOf, type KeptRecord } from '../domain/kept-records';
import type { TailRecord } from './entity-records';
import { KeptEntity, RecordCache } from './record-cache';

const HOUR = 3_600_000_000;
const view = compiled(
  featureView({
    features: [
      { name: 'landings', function: 'count', window: '3h' },
      { name: 'delay', function: 'sum', of: 'record.delay', window: '3h' },
    ],
  }),
);
const plan = planAccumulators([...view.features.values()]);

const record = (eventTime: number, value = 1): KeptRecord => ({
  eventTime,
  knownTime: eventTime,
  halves: halvesOf([toUnits(value) ?? null]),
});
const came = (entity: string, partition: number, offset: number, kept: KeptRecord): TailRecord => ({
  entity,
  partition,
  offset,
  kept: () => kept,
});
const at = (positions: readonly number[], watermark = 0, corrections = 0): StreamProgress => ({
  positions,
  watermark,
  corrections,
});
const loaded = (records: readonly KeptRecord[], positions: readonly number[] = [-1, -1]): KeptEntity =>
  new KeptEntity(records, positions);

describe('the cache of records', () => {
  it('keeps an entity current with what each partition brings', () => {
    const cache = new RecordCache(100, 24 * HOUR, at([5, 5]));
    cache.add('A', loaded([record(HOUR, 2)], [5, 5]));
    cache.follow(at([6, 7]), [
      came('A', 0, 6, record(2 * HOUR, 3)),
      came('B', 1, 6, record(2 * HOUR, 100)),
      came('A', 1, 7, record(HOUR / 2, 4)),
    ]);
    expect(cache.find('A')?.valuesAt(plan, 2 * HOUR)).toEqual([3, 9]);
    expect(cache.find('B')).toBeUndefined();
    expect(cache.recordCount).toBe(3);
  });

  it('takes a record once that an entity had when it was loaded', () => {
    const cache = new RecordCache(100, 24 * HOUR, at([5, 5]));
    cache.add('A', loaded([record(HOUR, 2)], [6, 5]));
    cache.follow(at([6, 6]), [came('A', 0, 6, record(HOUR, 2)), came('A', 1, 6, record(HOUR, 3))]);
    expect(cache.find('A')?.valuesAt(plan, 2 * HOUR)).toEqual([2, 5]);
  });

  it('refuses what was loaded before something that it has followed since', () => {
    const cache = new RecordCache(100, 24 * HOUR, at([5, 5], 0, 1));
    expect(cache.isCurrent(at([5, 5], 0, 1))).toBe(true);
    expect(cache.isCurrent(at([9, 5], 0, 2))).toBe(true);
    expect(cache.isCurrent(at([9, 4], 0, 1))).toBe(false);
    expect(cache.isCurrent(at([5, 5], 0, 0))).toBe(false);
    expect(cache.isCurrent(at([5], 0, 1))).toBe(false);
  });

  it('answers by the moment that is asked for, between changes and across them', () => {
    const entity = loaded([record(HOUR, 2), record(2 * HOUR, 3)]);
    const sumAt = (moment: number) => entity.valuesAt(plan, moment)[1];
    expect([sumAt(HOUR), sumAt(1.5 * HOUR), sumAt(2 * HOUR)]).toEqual([2, 2, 5]);
    expect([sumAt(4 * HOUR - 1), sumAt(4 * HOUR), sumAt(HOUR)]).toEqual([5, 3, 2]);
    entity.add(came('A', 0, 0, record(HOUR, 10)), -Infinity);
    expect(sumAt(HOUR)).toBe(12);
  });

  it('forgets what lies further back than any read may ask', () => {
    const cache = new RecordCache(100, HOUR, at([0, 0]));
    cache.add('A', loaded([record(HOUR), record(2 * HOUR)], [0, 0]));
    cache.follow(at([1, 0], 2.5 * HOUR), [came('A', 0, 1, record(2.4 * HOUR))]);
    expect(cache.recordCount).toBe(2);
  });

  it('drops the entity that was not asked for longest when it is full', () => {
    const cache = new RecordCache(6, HOUR, at([0, 0]));
    for (const entity of ['A', 'B']) cache.add(entity, loaded([record(1), record(2)]));
    cache.find('A');
    cache.add('C', loaded([record(3)]));
    expect(cache.find('A')).toBeDefined();
    expect(cache.find('B')).toBeUndefined();
    expect(cache.recordCount).toBe(3);
  });

  it('makes room for what the tail brings as well', () => {
    const cache = new RecordCache(4, HOUR, at([0, 0]));
    for (const entity of ['A', 'B']) cache.add(entity, loaded([record(1)]));
    cache.follow(at([1, 0]), [came('B', 0, 1, record(2))]);
    expect(cache.find('A')).toBeUndefined();
    expect(cache.find('B')?.recordCount).toBe(2);
  });

  it('begins again after a correction', () => {
    const cache = new RecordCache(100, HOUR, at([0, 0]));
    cache.add('A', loaded([record(1)]));
    cache.reset(at([3, 3], 7, 1));
    expect(cache.find('A')).toBeUndefined();
    expect(cache.recordCount).toBe(0);
    expect({ corrections: cache.corrections, watermark: cache.watermark }).toEqual({ corrections: 1, watermark: 7 });
  });
});
