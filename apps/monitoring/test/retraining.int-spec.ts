import {
  isRequestOpen,
  readRequestHistory,
  saveRequest,
  saveRunFailure,
  saveRunRequest,
  saveRunVersion,
  saveVerdict,
} from '../src/database/retraining.repository';
import type { Queries } from '../src/database/sql';
import { openTables, type OpenDatabase } from './open-database';

const PATIENCE_MS = 600_000;

describe('an open request for retraining', () => {
  let database: OpenDatabase;
  let queries: Queries;
  let model = 0;

  beforeAll(async () => {
    database = await openTables('requests');
    ({ queries } = database);
  }, 30_000);

  afterAll(() => database.close());

  async function request(): Promise<{ name: string; event: string; run: string }> {
    model += 1;
    const ids = { name: `model-${model}`, event: `request-${model}`, run: `run-${model}` };
    await saveRequest(queries, {
      eventId: ids.event,
      monitor: ids.name,
      model: ids.name,
      plan: 'plan',
      decidedAtMicros: 42,
      signalEventId: 'signal',
    });
    return ids;
  }

  it('stays open from the request until its version has a verdict', async () => {
    const { name, event, run } = await request();
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(true);
    await saveRunRequest(queries, run, event, 1_000);
    await saveRunVersion(queries, { runId: run, model: name, version: 2 }, 2_000);
    await saveVerdict(queries, name, 1, 'deployed');
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(true);
    await saveVerdict(queries, name, 2, 'promoted');
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(false);
  });

  it('ends with the verdict on a later version, too', async () => {
    const { name, event, run } = await request();
    await saveRunRequest(queries, run, event, 1_000);
    await saveRunVersion(queries, { runId: run, model: name, version: 2 }, 2_000);
    await saveVerdict(queries, name, 3, 'rolled_back');
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(false);
  });

  it('ends when the training failed, though that is heard before its beginning', async () => {
    const { name, event, run } = await request();
    await saveRunFailure(queries, run);
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(true);
    await saveRunRequest(queries, run, event, 1_000);
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(false);
  });

  it('does not stand in the way for ever when nobody answers it, but does while its run goes on', async () => {
    const { name, event, run } = await request();
    expect(await isRequestOpen(queries, name, 0)).toBe(false);
    await saveRunRequest(queries, run, event, 1_000);
    expect(await isRequestOpen(queries, name, 0)).toBe(true);
  });

  it('counts in the history of its monitor', async () => {
    const { name } = await request();
    expect(await readRequestHistory(queries, name)).toEqual({ lastEventMicros: 42, withinDay: 1 });
    expect(await readRequestHistory(queries, 'nobody')).toEqual({ lastEventMicros: undefined, withinDay: 0 });
  });
});
