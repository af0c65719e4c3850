import { events, topics } from '@headrace/contracts';
import { RolloutVerdict } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { MICROS } from '@headrace/event-time';
import type { ReplaySummary } from '@headrace/messaging';
import { eventually } from '@headrace/testing';
import { cases, DAY_ONE, profileJson, type Case } from './builders';
import { MonitoringSystem } from './running-monitoring';

const PER_DAY = 240;
const PATIENT = { timeoutMs: 40_000 };
const reference = cases({ seed: 1, days: 10, perDay: PER_DAY, prefix: 'r' });

const monitor = {
  window: '1d',
  minimumSample: 100,
  drift: { tests: [{ subject: 'prediction', statistic: 'psi', threshold: 0.25 }], rule: { k: 2, n: 3 } },
  performance: { tests: [{ statistic: 'brier', worseByFactor: 1.5 }], rule: { k: 2, n: 3 } },
  retraining: { plan: 'plan', on: ['drift', 'performance'], match: 'all' },
};
const analysis = {
  minimumPairsToPromote: 100,
  minimumPairsToRollBack: 50,
  minimumDuration: '6h',
  block: '1h',
  minimumPairsOfBlock: 10,
};

function slice(all: readonly Case[], fromDay: number, toDay: number): Case[] {
  return all.filter((one) => {
    const day = (one.asOfMicros - DAY_ONE) / MICROS.d;
    return day >= fromDay && day < toDay;
  });
}

describe('monitoring on the real log and database', () => {
  const system = new MonitoringSystem();

  beforeAll(async () => {
    await system.start();
    await system.define(monitor, analysis);
  }, 90_000);

  afterAll(() => system.stop(), 30_000);

  const stream = cases({ seed: 2, days: 6, perDay: PER_DAY, driftFromDay: 2 });

  it('joins each prediction once, whichever of it and its label comes first', async () => {
    await system.deploy({ champion: 1, profile: await system.putProfile(profileJson(reference)) });
    const twoDays = slice(stream, 0, 2);
    const even = twoDays.filter((_, index) => index % 2 === 0);
    const odd = twoDays.filter((_, index) => index % 2 === 1);
    await system.predictions(even);
    await system.labels(odd);
    await Promise.all([system.labels(even), system.predictions(odd)]);
    await system.labels(even.slice(0, 50));
    await eventually(() => expect(system.heardOf(events.GroundTruthArrived)).toHaveLength(twoDays.length), PATIENT);
    const joined = system.heardOf(events.GroundTruthArrived).map((event) => event.data.predictionId);
    expect(new Set(joined).size).toBe(twoDays.length);
    const [first] = system.heardOf(events.GroundTruthArrived);
    expect(first?.causationId).toMatch(new RegExp(`^${system.name}/`));
    const monitored = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
    expect(monitored).toMatchObject({ predictions: twoDays.length, labelsJoined: twoDays.length });
  }, 60_000);

  it('closes windows by event time and says nothing while they are as the reference', async () => {
    const through = DAY_ONE + 2 * MICROS.d;
    await system.predictions(slice(stream, 2, 3));
    await system.labels(slice(stream, 2, 3));
    await system.watermark(through);
    await eventually(async () => {
      const { windows } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
      expect(
        windows.map(({ kind, judged, startMicros }) => [kind, judged, (startMicros - DAY_ONE) / MICROS.d]),
      ).toEqual([
        ['drift', true, 0],
        ['performance', true, 0],
        ['drift', true, 1],
        ['performance', true, 1],
      ]);
    }, PATIENT);
    expect(system.heardOf(events.DriftDetected)).toEqual([]);
    const { windows } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 1 });
    expect(windows[0]?.evidence.find((entry) => entry.statistic === 'brier')?.crossed).toBe(false);
  }, 60_000);

  it('detects drift and degraded performance and asks for one retraining, across a restart', async () => {
    await system.predictions(slice(stream, 3, 4));
    await system.labels(slice(stream, 3, 4));
    await system.watermark(DAY_ONE + 3 * MICROS.d);
    await eventually(async () => {
      const { windows } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
      expect(windows).toHaveLength(6);
    }, PATIENT);
    await system.stopService();
    await system.startService();
    await system.predictions(slice(stream, 4, 6));
    await system.labels(slice(stream, 4, 6));
    await system.watermark(DAY_ONE + 5 * MICROS.d);
    await eventually(async () => {
      const { windows } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
      expect(windows).toHaveLength(10);
    }, PATIENT);
    await eventually(() => expect(system.heardOf(events.RetrainingRequested)).toHaveLength(1), PATIENT);
    const [drift, ...moreDrift] = system.heardOf(events.DriftDetected);
    const [degraded, ...moreDegraded] = system.heardOf(events.PerformanceDegraded);
    const [request, ...moreRequests] = system.heardOf(events.RetrainingRequested);
    expect([moreDrift, moreDegraded, moreRequests]).toEqual([[], [], []]);
    expect(drift?.data).toMatchObject({ version: 1, rule: '2 of 3' });
    expect(drift?.causationId).toBe(drift?.data.trigger?.id);
    const lastOfWindow = slice(stream, 3, 4).at(-1)?.predictionId ?? '';
    expect(drift?.data.trigger?.id).toBe(`${system.name}-${lastOfWindow}`);
    expect(request?.causationId).toBe(degraded?.eventId);
    expect(request?.data).toMatchObject({
      signal: 'performance',
      signalEventId: degraded?.eventId,
      decidedAtEventMicros: DAY_ONE + 4 * MICROS.d,
    });
    expect(
      system
        .heardOf(events.AlertRaised)
        .map((event) => event.data.alertId)
        .sort(),
    ).toEqual([`${system.name}/drift`, `${system.name}/performance`]);
  }, 120_000);

  /** Requests of one rollout: the candidate's error is `factor` times the champion's distance from the truth. */
  async function serveRollout(rolloutId: string, champion: number, candidate: number, better: boolean): Promise<void> {
    const seed = better ? 11 : 12;
    const day = better ? 6 : 8;
    const requests = cases({
      seed,
      days: 1,
      perDay: 20 * 24,
      fromMicros: DAY_ONE + day * MICROS.d,
      prefix: rolloutId,
    });
    const worse = (one: Case): number => 1 - one.score;
    await system.predictions(requests, (one) => {
      const byCandidate = one.predictionId.endsWith('0');
      const scores = { good: one.score, bad: worse(one) };
      const candidateScore = better ? scores.good : scores.bad;
      const championScore = better ? scores.bad : scores.good;
      return {
        rolloutId,
        version: byCandidate ? candidate : champion,
        assignment: byCandidate ? 'canary' : 'champion',
        output: byCandidate ? candidateScore : championScore,
        shadowScores: [
          byCandidate ? { version: champion, output: championScore } : { version: candidate, output: candidateScore },
        ],
      };
    });
    await system.labels(requests);
    await system.watermark(DAY_ONE + (day + 1) * MICROS.d);
  }

  it('promotes a better candidate once, across a restart', async () => {
    const profile = await system.putProfile(profileJson(reference));
    const rolloutId = `${system.name}-r1`;
    await system.deploy({ champion: 1, candidate: 2, profile }, { rolloutId });
    await serveRollout(rolloutId, 1, 2, true);
    await eventually(() => expect(system.heardOf(events.RolloutAnalysisCompleted)).toHaveLength(1), PATIENT);
    const [analysed] = system.heardOf(events.RolloutAnalysisCompleted);
    expect(analysed?.data).toMatchObject({
      rolloutId,
      candidateVersion: 2,
      championVersion: 1,
      step: 0,
      verdict: RolloutVerdict.PROMOTE,
      loss: 'brier',
    });
    expect(analysed?.data.improvement?.low).toBeGreaterThan(0);
    expect(analysed?.causationId).toBe(analysed?.data.trigger?.id);
    await system.stopService();
    await system.startService();
    await system.watermark(DAY_ONE + 7 * MICROS.d + MICROS.h);
    const { versions, sameRows } = await system.grpc.compareVersions({
      endpoint: system.name,
      fromEventTimeMicros: DAY_ONE + 6 * MICROS.d,
      toEventTimeMicros: 0,
      versions: [],
    });
    expect(sameRows).toBe(true);
    expect(versions.map((version) => [version.version, version.rows])).toEqual([
      [1, 480],
      [2, 480],
    ]);
    expect(versions[1]?.metrics['auc']?.low).toBeGreaterThan(versions[0]?.metrics['auc']?.high ?? 1);
  }, 120_000);

  it('rolls a worse candidate back, and resolves the alerts of the champion before', async () => {
    const profile = await system.putProfile(profileJson(reference));
    const rolloutId = `${system.name}-r2`;
    await system.deploy({ champion: 2, profile });
    await eventually(() => expect(system.heardOf(events.AlertResolved)).toHaveLength(2), PATIENT);
    await system.deploy({ champion: 2, candidate: 3, profile }, { rolloutId });
    await serveRollout(rolloutId, 2, 3, false);
    await eventually(() => expect(system.heardOf(events.RolloutAnalysisCompleted)).toHaveLength(2), PATIENT);
    const verdict = system.heardOf(events.RolloutAnalysisCompleted)[1]?.data;
    expect(verdict).toMatchObject({ rolloutId, candidateVersion: 3, verdict: RolloutVerdict.ROLL_BACK });
    expect(verdict?.improvement?.high).toBeLessThan(0);
    const { decisions } = await system.grpc.getMonitor({ monitor: system.name, lastWindows: 0 });
    expect(decisions.map((decision) => decision.type.replace('headrace.monitoring.v1.', ''))).toEqual([
      'DriftDetected',
      'PerformanceDegraded',
      'RetrainingRequested',
      'RolloutAnalysisCompleted',
      'RolloutAnalysisCompleted',
    ]);
    for (const decision of decisions) {
      expect(decision.decidingRecordPublishedMicros).toBeGreaterThan(0);
      expect(decision.decidedAtMicros).toBeGreaterThanOrEqual(decision.decidingRecordPublishedMicros);
    }
  }, 120_000);

  it('names what it does not know', async () => {
    await expect(system.grpc.getMonitor({ monitor: 'other', lastWindows: 0 })).rejects.toMatchObject({
      code: 'monitor_unknown',
    });
    const range = { endpoint: system.name, fromEventTimeMicros: 10, toEventTimeMicros: 5, versions: [] };
    await expect(system.grpc.compareVersions(range)).rejects.toMatchObject({ code: 'bad_range' });
  });

  it('builds its facts anew from the log, and says nothing of it again', async () => {
    const said = system.heard.length;
    // Other systems write to the topics of predictions and deployments too: until none came in between.
    const result = await eventually(async () => {
      const again = await system.replay('--compare', '--replace');
      expect(again.comparison).toMatchObject({ same: true, liveAhead: 0 });
      return again;
    }, PATIENT);
    const rows = new Map(result.comparison?.tables.map(({ name, live }) => [name, live]));
    for (const name of ['predictions', 'labels', 'outcomes']) expect(rows.get(name)).toBeGreaterThan(PER_DAY);
    // Truths that arrived were told again by the handlers, to nobody.
    const withheld = (result.summary as ReplaySummary).withheld.find(({ topic }) => topic === topics.monitoring.name);
    expect(withheld?.events).toBeGreaterThan(0);
    expect(system.heard).toHaveLength(said);
  }, 90_000);
});
