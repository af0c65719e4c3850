import { compiled, everyAggregate, featureView, randomNumbers } from '../../test/builders';
import { featureAt, type OracleRecord } from '../../test/oracle';
import { planAccumulators } from './accumulators';
import { LARGEST_INPUT, toUnits } from './fixed-point';
import { foldWindows, halvesOf, insertRecords, type KeptRecord } from './kept-records';

const HOUR = 3_600_000_000;

function keptOf(records: readonly OracleRecord[]): KeptRecord[] {
  const kept: KeptRecord[] = [];
  insertRecords(
    kept,
    records.map(({ eventTime, knownTime, inputs }) => ({ eventTime, knownTime, halves: halvesOf(inputs) })),
  );
  return kept;
}

function randomRecords(count: number, largest: number): OracleRecord[] {
  const random = randomNumbers(count);
  return Array.from({ length: count }, () => {
    const eventTime = Math.floor(random() * 48) * HOUR;
    return {
      entity: 'A',
      eventTime,
      knownTime: eventTime + Math.floor((random() - 0.3) * 6) * HOUR,
      inputs: [random() < 0.1 ? null : (toUnits((random() - 0.5) * 2 * largest) ?? null)],
    };
  });
}

describe('windows over kept records', () => {
  const view = compiled(featureView({ features: everyAggregate('record.delay', ['3h', '24h']) }));
  const features = [...view.features.values()];
  const plan = planAccumulators(features);

  it.each([1, 1_000, LARGEST_INPUT])('are what the definition says, to the bit, for inputs up to %d', (largest) => {
    const records = randomRecords(400, largest);
    const kept = keptOf(records);
    for (let at = -HOUR; at < 50 * HOUR; at += HOUR / 2) {
      expect(foldWindows(plan, kept, at).values).toEqual(
        features.map((feature) => featureAt(records, feature, 'A', at)),
      );
    }
  });

  it('take the end of the window in and leave its beginning out', () => {
    const record = { entity: 'A', eventTime: 10 * HOUR, knownTime: 10 * HOUR, inputs: [5n] };
    const counts = [10 * HOUR - 1, 10 * HOUR, 13 * HOUR - 1, 13 * HOUR].map(
      (at) =>
        foldWindows(plan, keptOf([record]), at).values[features.findIndex(({ function: kind }) => kind === 'count')],
    );
    expect(counts).toEqual([0, 1, 1, 0]);
  });

  it('are the same up to the moment that they name, and other ones from then on', () => {
    const records = randomRecords(60, 1_000);
    const kept = keptOf(records);
    const at = (moment: number): number[] => features.map((feature) => featureAt(records, feature, 'A', moment));
    let changes = 0;
    for (let moment = -HOUR; moment < 50 * HOUR; moment += HOUR / 4) {
      const { values, from, until } = foldWindows(plan, kept, moment);
      expect(from).toBe(moment);
      if (until === Infinity) continue;
      expect(at(until - 1)).toEqual(values);
      if (JSON.stringify(at(until)) !== JSON.stringify(values)) changes += 1;
    }
    // A record without a value changes nothing when it comes.
    expect(changes).toBeGreaterThan(100);
  });
});
