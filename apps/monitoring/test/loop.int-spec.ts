// How fast the loop turns, statement by statement.
import { recordDecision } from '../src/database/decisions.repository';
import { readChanges, readLeadTime, readLoops, saveVersionChange } from '../src/database/loop.repository';
import { saveRequest, saveRunRequest, saveRunVersion } from '../src/database/retraining.repository';
import type { Queries } from '../src/database/sql';
import { openTables, type OpenDatabase } from './open-database';

describe('the pace of the loop in the tables', () => {
  let database: OpenDatabase;
  let queries: Queries;

  beforeEach(async () => {
    database = await openTables('loop');
    ({ queries } = database);
  }, 30_000);
  afterEach(() => database.close());

  async function loop(name: string, signalEventId = `${name}-signal`): Promise<void> {
    await recordDecision(queries, {
      eventId: `${name}-signal`,
      monitor: 'm',
      endpoint: 'e',
      type: 'DriftDetected',
      recordPublishedMicros: 0,
      summary: '',
      windows: { beganMicros: 100, decidedMicros: 300 },
    });
    const request = {
      eventId: `${name}-request`,
      monitor: 'm',
      model: 'm',
      plan: 'p',
      decidedAtMicros: 300,
      signalEventId,
    };
    await saveRequest(queries, request);
  }
  const changed = (eventId: string, change: string, changedMicros: number, version = 2) =>
    saveVersionChange(queries, { eventId, model: 'm', version, endpoint: 'e', change, changedMicros });

  it('follows a signal through its training to the version that became champion, whichever event came first', async () => {
    await loop('a');
    // The registry's events may be read before those of training.
    await changed('c2', 'promoted', 9_000);
    await saveRunVersion(queries, { runId: 'run', model: 'm', version: 2 }, 7_000);
    await saveRunRequest(queries, 'run', 'a-request', 5_000);
    await loop('b');
    const [newest, first] = await readLoops(queries, 'm', 10);
    expect(newest).toMatchObject({ detectionMicros: 200, registered: null, promoted: null });
    expect(first).toMatchObject({ detectionMicros: 200, registered: 7_000, promoted: 9_000 });
    expect(await readLeadTime(queries, 'm')).toBe(4_000);
    expect(await readLeadTime(queries, 'other')).toBeUndefined();
  });

  it('is not recovered by a version that was rolled back', async () => {
    await loop('a');
    await saveRunRequest(queries, 'run', 'a-request', 5_000);
    await saveRunVersion(queries, { runId: 'run', model: 'm', version: 2 }, 7_000);
    await changed('c1', 'rolled_back', 9_000);
    expect(await readLoops(queries, 'm', 10)).toMatchObject([{ registered: 7_000, promoted: null }]);
    expect(await readLeadTime(queries, 'm')).toBeUndefined();
  });

  it('counts each change once, of the time that is asked for', async () => {
    await changed('c1', 'deployed', 1_000, 1);
    await changed('c2', 'promoted', 9_000);
    await changed('c2', 'promoted', 9_000);
    await changed('c3', 'rolled_back', 9_500, 3);
    expect(await readChanges(queries, 'm', 5_000)).toEqual({ deployments: 1, failures: 1, since: 1_000 });
    expect(await readChanges(queries, 'm', 0)).toEqual({ deployments: 2, failures: 1, since: 1_000 });
    expect(await readChanges(queries, 'other', 0)).toEqual({ deployments: 0, failures: 0, since: null });
  });
});
