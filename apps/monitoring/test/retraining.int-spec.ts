import { MICROS, nowMicros } from '@headrace/event-time';
import {
  forgetWithheld,
  isRequestOpen,
  readRequestHistory,
  savePersonAction,
  saveRequest,
  saveRunFailure,
  saveRunRequest,
  saveRunVersion,
  saveVerdict,
  saveWithheld,
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
    expect(await readRequestHistory(queries, name, name)).toEqual({
      lastEventMicros: 42,
      withinDay: 1,
      withoutPerson: 1,
    });
    expect(await readRequestHistory(queries, 'nobody', name)).toEqual({
      lastEventMicros: undefined,
      withinDay: 0,
      withoutPerson: 0,
    });
  });

  const acted = (name: string, actedMicros: number, runId?: string) =>
    savePersonAction(queries, {
      eventId: `${name}-${actedMicros}`,
      model: name,
      action: runId === undefined ? 'promoted' : 'trained',
      actor: 'somebody',
      actedMicros,
      runId,
    });

  it('counts as one without a person until somebody acts on the model, whatever is heard of earlier acts', async () => {
    const { name } = await request();
    const withoutPerson = async () => (await readRequestHistory(queries, name, name)).withoutPerson;
    await acted(name, nowMicros() - MICROS.h);
    await acted('another-model', nowMicros() + MICROS.h);
    expect(await withoutPerson()).toBe(1);
    await acted(name, nowMicros() + MICROS.h);
    await acted(name, nowMicros() - MICROS.h);
    expect(await withoutPerson()).toBe(0);
  });

  it('is also the training that a person asked for, until its version has a verdict', async () => {
    const name = 'trained-by-hand';
    await saveRunRequest(queries, 'run-by-hand', 'data', 1_000);
    await acted(name, 1_000, 'run-by-hand');
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(true);
    await saveRunVersion(queries, { runId: 'run-by-hand', model: name, version: 2 }, 2_000);
    await saveVerdict(queries, name, 2, 'refused');
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(false);
    await saveRunRequest(queries, 'another-run', 'data', 3_000);
    await acted(name, 3_000, 'another-run');
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(true);
    await saveRunFailure(queries, 'another-run');
    expect(await isRequestOpen(queries, name, PATIENCE_MS)).toBe(false);
  });

  it('that is withheld is news once for each signal and end of quiet hours', async () => {
    const quiet = { why: 'quiet_hours', signalEventId: 'signal', untilMicros: 1_000 };
    const forPerson = { why: 'person_needed', signalEventId: 'signal', untilMicros: undefined };
    expect(await saveWithheld(queries, 'm', quiet)).toBe(true);
    expect(await saveWithheld(queries, 'm', quiet)).toBe(false);
    expect(await saveWithheld(queries, 'm', { ...quiet, untilMicros: 2_000 })).toBe(true);
    expect(await saveWithheld(queries, 'm', forPerson)).toBe(true);
    expect(await saveWithheld(queries, 'm', forPerson)).toBe(false);
    await forgetWithheld(queries, 'm');
    expect(await saveWithheld(queries, 'm', forPerson)).toBe(true);
  });
});
