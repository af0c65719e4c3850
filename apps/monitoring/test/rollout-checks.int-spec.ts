import { randomUUID } from 'node:crypto';
import { events } from '@headrace/contracts';
import { RolloutVerdict } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { nowMicros } from '@headrace/event-time';
import { eventually } from '@headrace/testing';
import { cases, profileJson } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PATIENT = { timeoutMs: 40_000 };

describe('rollouts without labels, on the real log and database', () => {
  const system = new MonitoringSystem();

  beforeAll(async () => {
    await system.start();
    await system.define({ window: '1d', minimumSample: 100 }, { inconclusiveAfter: '2s' });
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  const reports = (rolloutId: string, champion: [number, number], candidate: [number, number]): Promise<void> =>
    system.publish(events.VersionsScored, [
      {
        endpoint: system.name,
        rolloutId,
        generation: 1,
        gateway: 'gateway-1',
        versions: [
          { version: 1, asked: champion[0], failed: champion[1], lastError: '' },
          { version: 2, asked: candidate[0], failed: candidate[1], lastError: 'the model process crashed' },
        ],
      },
    ]);
  const verdicts = (rolloutId: string) =>
    system.heardOf(events.RolloutAnalysisCompleted).filter((event) => event.data.rolloutId === rolloutId);

  async function rollOut(fields: { stepStartedAtMicros?: number } = {}): Promise<string> {
    const rolloutId = randomUUID();
    const profile = await system.putProfile(profileJson(cases({ seed: 1, days: 2, perDay: 50 })));
    await system.deploy({ champion: 1, candidate: 2, profile }, { rolloutId, ...fields });
    return rolloutId;
  }

  it('are rolled back when the candidate fails, by reports that add up, once, across a restart', async () => {
    const rolloutId = await rollOut();
    await reports(rolloutId, [3, 0], [3, 3]);
    await reports(rolloutId, [4, 0], [4, 4]);
    await eventually(() => expect(verdicts(rolloutId)).toHaveLength(1), PATIENT);
    const [verdict] = verdicts(rolloutId);
    expect(verdict?.data).toMatchObject({
      endpoint: system.name,
      candidateVersion: 2,
      championVersion: 1,
      verdict: RolloutVerdict.ROLL_BACK,
      reason: expect.stringMatching(/could not score 7 of 7 requests .*the model process crashed/) as string,
    });
    // It follows from the deployment: the chain of causation goes on.
    expect(verdict?.causationId).toMatch(new RegExp(`^${system.name}/`));
    await system.stopService();
    await system.startService();
    const after = await rollOut();
    await reports(rolloutId, [5, 0], [5, 5]);
    await reports(after, [3, 0], [9, 9]);
    await eventually(() => expect(verdicts(after)).toHaveLength(1), PATIENT);
    expect(verdicts(rolloutId)).toHaveLength(1);
  }, 120_000);

  it('go on when both versions fail alike, until the candidate fails more', async () => {
    const rolloutId = await rollOut();
    await reports(rolloutId, [60, 20], [60, 20]);
    await reports(rolloutId, [40, 0], [40, 40]);
    await eventually(() => expect(verdicts(rolloutId)).toHaveLength(1), PATIENT);
    expect(verdicts(rolloutId)[0]?.data.reason).toContain('60 of 100 requests');
  }, 60_000);

  it('are inconclusive, once, when nobody asks', async () => {
    const rolloutId = await rollOut({ stepStartedAtMicros: nowMicros() });
    await eventually(() => expect(verdicts(rolloutId)).toHaveLength(1), PATIENT);
    expect(verdicts(rolloutId)[0]?.data).toMatchObject({
      verdict: RolloutVerdict.INCONCLUSIVE,
      pairs: 0,
      reason: 'no request for 2s in step 0: nothing can be said about the candidate',
    });
    // Once, though it is looked at again and again; what comes then is heard.
    await reports(rolloutId, [6, 0], [6, 6]);
    await eventually(() => expect(verdicts(rolloutId).length).toBeGreaterThan(1), PATIENT);
    expect(verdicts(rolloutId).map(({ data }) => data.verdict)).toEqual([
      RolloutVerdict.INCONCLUSIVE,
      RolloutVerdict.ROLL_BACK,
    ]);
  }, 60_000);
});
