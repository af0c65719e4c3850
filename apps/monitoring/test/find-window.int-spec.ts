// Which window by count is found on the tables, and how often they are asked.
import { insertPredictions } from '../src/database/predictions.repository';
import { countPredictions } from '../src/database/progress.repository';
import type { Queries } from '../src/database/sql';
import { firstScored, saveCut } from '../src/database/window-cuts.repository';
import type { Progress } from '../src/domain/progress';
import { FindWindow } from '../src/use-cases/find-window';
import type { WatchedMonitor } from '../src/watched-monitors';
import { openTables, type OpenDatabase } from './open-database';
import { served } from './running-monitoring';

const upTo = (micros: number): Progress => ({
  predictionMicros: micros,
  labelWatermarkMicros: micros,
  maxLabelTimeMicros: micros,
});

describe('the next window by count', () => {
  let database: OpenDatabase;
  let queries: Queries;
  const asked: string[] = [];
  const looks = (): number => asked.filter((sql) => sql.includes('AS time FROM predictions')).length;
  let finder: FindWindow;
  const place = { kind: 'drift', version: 1, nextStartMicros: undefined } as const;

  beforeEach(async () => {
    database = await openTables('finding');
    queries = {
      query: (sql, parameters) => {
        asked.push(sql);
        return database.queries.query(sql, parameters);
      },
    };
    asked.length = 0;
    finder = new FindWindow();
  }, 60_000);

  afterEach(() => database.close());

  const monitorOf = (window: object): WatchedMonitor =>
    ({ name: 'm', endpoint: 'e', source: { id: 's#1' }, spec: { window } }) as unknown as WatchedMonitor;

  /** At these as-of times, one after the other. */
  async function serve(times: readonly number[], overrides: object = {}, partition = 0): Promise<void> {
    const fresh = times.map((asOfMicros) => ({
      ...served({ predictionId: `p-${partition}-${asOfMicros}`, asOfMicros, ...overrides }),
      partition,
    }));
    await insertPredictions(queries, fresh);
    await countPredictions(queries, fresh);
  }

  it('holds the first predictions of the version by time, of all partitions, and no other', async () => {
    const monitor = monitorOf({ predictions: 4 });
    await serve([50, 20, 40], {}, 1);
    await serve([30, 10], {}, 2);
    await serve([11, 12, 13], { version: 2, assignment: 'canary' }, 3);
    await serve([14, 15], { fallback: true }, 4);
    await serve([21], { version: 2, assignment: 'canary', shadowScores: [{ version: 1, output: 0.5 }] }, 5);
    expect(await firstScored(queries, 'e', 1, 0, 100)).toEqual({ rows: 6, firstMicros: 10, lastMicros: 50 });
    const found = { startMicros: 10, endMicros: 31, closedBy: 'predictions' };
    expect(await finder.next(queries, monitor, place, upTo(60))).toEqual(found);
    // Nothing of it may still be under way.
    expect(await finder.next(queries, monitor, place, upTo(30))).toBeUndefined();
    expect(await finder.next(queries, monitor, place, upTo(31))).toEqual(found);
    const next = { ...place, nextStartMicros: 31 };
    expect(await finder.next(queries, monitor, next, upTo(60))).toBeUndefined();
  });

  it('is not looked for again before enough have come, or event time could end it', async () => {
    const monitor = monitorOf({ predictions: 100, maximumAge: '1s' });
    await serve(Array.from({ length: 40 }, (_, index) => index));
    for (let round = 0; round < 5; round += 1) await finder.next(queries, monitor, place, upTo(30 + round));
    expect(looks()).toBe(1);
    await serve(Array.from({ length: 59 }, (_, index) => 100 + index));
    expect(await finder.next(queries, monitor, place, upTo(500))).toBeUndefined();
    expect(looks()).toBe(1);
    await serve([300]);
    expect(await finder.next(queries, monitor, place, upTo(500))).toMatchObject({ endMicros: 301 });
    expect(looks()).toBe(2);
    const next = { ...place, nextStartMicros: 301 };
    await serve([400, 401]);
    expect(await finder.next(queries, monitor, next, upTo(450))).toBeUndefined();
    expect(await finder.next(queries, monitor, next, upTo(1_000_400))).toEqual({
      startMicros: 301,
      endMicros: 1_000_400,
      closedBy: 'age',
    });
    expect(looks()).toBe(4);
  });

  it('ends where it was cut already, whatever came late', async () => {
    const monitor = monitorOf({ predictions: 4 });
    await serve([10, 20, 30, 40, 50]);
    const cut = { monitor: 'm', clock: 'prediction', version: 1, startMicros: 10, endMicros: 41 } as const;
    expect(await saveCut(queries, { ...cut, closedBy: 'predictions' })).toBe(true);
    expect(await saveCut(queries, { ...cut, closedBy: 'predictions' })).toBe(false);
    await serve([25, 26], {}, 1);
    const estimate = { ...place, kind: 'estimate' } as const;
    expect(await finder.next(queries, monitor, estimate, upTo(60))).toEqual({
      startMicros: 10,
      endMicros: 41,
      closedBy: 'predictions',
    });
  });

  it('begins at the next boundary when it is of a length again', async () => {
    await serve([1_500_000, 2_500_000]);
    const found = await finder.next(
      queries,
      monitorOf('1s' as unknown as object),
      { ...place, nextStartMicros: 1_400_001 },
      upTo(9_000_000),
    );
    expect(found).toEqual({ startMicros: 2_000_000, endMicros: 3_000_000 });
  });
});
