import { BIGINT, INTEGER, type DuckDBConnection } from '@duckdb/node-api';
import { doubleValue, stringValue, type Fields } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import { compiled, everyAggregate, featureView, randomNumbers } from '../../test/builders';
import { featureAt, type OracleRecord } from '../../test/oracle';
import type { CompiledView } from '../domain/feature-view';
import { TableWriter, withDuckDb } from './duckdb';
import { EntityIds, joinFeatures, RecordTable } from './point-in-time-join';

interface Arrival {
  readonly eventTime: number;
  readonly knownTime: number;
  readonly fields: Fields;
}

/** Late, duplicate, out-of-order and future-dated records, some without a value, some enormous. */
function arrivals(count: number, random: () => number, start: number): Arrival[] {
  const records: Arrival[] = [];
  for (let n = 0; n < count; n += 1) {
    const last = records[Math.floor(random() * records.length)];
    if (last && random() < 0.1) {
      records.push(last);
      continue;
    }
    const eventTime = start + Math.floor(random() * 5 * MICROS.d);
    const lag = random() < 0.2 ? 30 * MICROS.h : random() < 0.5 ? 0 : 2 * MICROS.h;
    const knownTime = eventTime + Math.floor((random() - 0.2) * lag);
    const size = random() < 0.1 ? 9e9 : 300;
    const delay = random() < 0.1 ? {} : { delay: doubleValue((random() - 0.5) * size) };
    records.push({
      eventTime,
      knownTime,
      fields: { origin: stringValue('ABC'[Math.floor(random() * 3)] ?? 'A'), ...delay },
    });
  }
  return records;
}

function recordsOf(view: CompiledView, records: readonly Arrival[]): OracleRecord[] {
  return records.flatMap(({ eventTime, knownTime, fields }) => {
    const projection = view.project(fields);
    return projection ? [{ eventTime, knownTime, ...projection }] : [];
  });
}

async function fillSpine(
  connection: DuckDBConnection,
  ids: EntityIds,
  spine: readonly { t: number; entity: string }[],
): Promise<void> {
  const writer = await TableWriter.create(connection, 'spine', [
    { name: 'idx', type: INTEGER },
    { name: 't', type: BIGINT },
    { name: 'origin', type: INTEGER },
  ]);
  spine.forEach(({ t, entity }, idx) => writer.write([idx, BigInt(t), ids.idOf(entity)]));
  writer.close();
}

describe('the point-in-time join', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('gives what the definition says, to the bit (seed %i)', async (seed) => {
    const random = randomNumbers(seed);
    const start = seed % 2 === 0 ? 980_000_000_000_000 : -2 * MICROS.d;
    const view = compiled(featureView({ features: everyAggregate('record.delay', ['500ms', '3h', '24h', '2d']) }));
    const records = arrivals(600, random, start);
    const known = recordsOf(view, records);
    const moments = known.flatMap(({ eventTime, knownTime }) => [eventTime, knownTime, eventTime + 3 * MICROS.h]);
    const spine = Array.from({ length: 300 }, (_, n) => ({
      t:
        n % 2 === 0
          ? start + Math.floor(random() * 6 * MICROS.d)
          : (moments[Math.floor(random() * moments.length)] ?? 0),
      entity: 'ABCD'[Math.floor(random() * 4)] ?? 'A',
    }));
    const features = [...view.features.values()];
    await withDuckDb({ memoryLimit: '500MB', threads: 2 }, async (connection) => {
      const ids = new EntityIds();
      const table = await RecordTable.create(connection, 'records', view, ids);
      records.forEach((record) => table.add(record));
      table.close();
      await fillSpine(connection, ids, spine);
      const joined: (readonly number[])[] = [];
      await joinFeatures(
        connection,
        'spine',
        [{ view, features, records: 'records', entityColumn: 'origin' }],
        (idx, values) => {
          expect(idx).toBe(joined.length);
          joined.push(values);
        },
      );
      expect(joined).toEqual(
        spine.map(({ t, entity }) => features.map((feature) => featureAt(known, feature, entity, t))),
      );
    });
  });
});
