import { randomUUID } from 'node:crypto';
import { events, topics } from '@headrace/contracts';
import { RolloutAnalysisCompleted, RolloutVerdict } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { AliasChanged, DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { RolloutControl } from '@headrace/contracts/proto/registry/v1/registry_service';
import { ModelTrained } from '@headrace/contracts/proto/training/v1/training_events';
import { kinds } from '@headrace/definitions';
import { eventually, uniqueName } from '@headrace/testing';
import { Client } from 'pg';
import { aModelTrained, digestOf } from './builders';
import { RegistrySite, RunningRegistry } from './running-registry';

const PATIENCE = { timeoutMs: 60_000 };

const aModel = (name: string) =>
  kinds.Model.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Model',
    metadata: { name },
    spec: { task: 'binary', gates: [{ name: 'discriminates', metric: 'auc', min: 0.7 }] },
  });

const anEndpoint = (name: string, model: string, weights: number[], fallback = 0.2) =>
  kinds.Endpoint.parse({
    apiVersion: 'headrace.dev/v1',
    kind: 'Endpoint',
    metadata: { name },
    spec: {
      model,
      joinKey: 'flight',
      fallback: { value: fallback },
      rollout: { steps: weights.map((weight) => ({ weight })) },
    },
  });

describe('registry on the real Kafka and Postgres', () => {
  let site: RegistrySite;
  let running: RunningRegistry;

  beforeAll(async () => {
    site = await RegistrySite.create();
    running = await RunningRegistry.start(site);
  }, 120_000);

  afterAll(async () => {
    await running.stop();
    await site.remove();
  });

  const train = (model: string, auc: number, fields: Partial<ModelTrained> = {}): Promise<string> =>
    running.says(
      events.ModelTrained,
      aModelTrained({
        model,
        plan: `plan-of-${model}`,
        runId: randomUUID(),
        metrics: { auc: { value: auc, low: auc - 0.01, high: auc + 0.01 } },
        modelArtifact: { digest: digestOf(String(Math.round(auc * 100) % 10)), sizeBytes: 10, name: 'model.onnx' },
        ...fields,
      }),
    );

  const judge = (
    deployed: DeploymentChanged,
    verdict: RolloutVerdict,
    fields: Partial<RolloutAnalysisCompleted> = {},
  ) =>
    running.says(
      events.RolloutAnalysisCompleted,
      RolloutAnalysisCompleted.fromPartial({
        model: deployed.model,
        endpoint: deployed.endpoint,
        rolloutId: deployed.rollout?.rolloutId ?? '',
        step: deployed.rollout?.step ?? 0,
        candidateVersion: deployed.rollout?.candidateVersion ?? 0,
        championVersion: deployed.rollout?.championVersion ?? 0,
        verdict,
        reason: 'as the spec says',
        pairs: 500,
        trigger: {
          id: `prediction-of-${deployed.rollout?.rolloutId ?? ''}`,
          type: events.PredictionServed.type,
          topic: 'inference.predictions.v1',
          timeMicros: 5,
          causationId: 'unknown-deployment',
        },
        ...fields,
      }),
    );

  async function endpoint(name: string) {
    const get = running.registry.getEndpoint.bind(running.registry);
    return running.call(get, { endpoint: name });
  }
  const versions = async (model: string) => {
    const list = running.registry.listVersions.bind(running.registry);
    return (await running.call(list, { model })).versions;
  };
  const weights = (deployed: DeploymentChanged | undefined) =>
    (deployed?.versions ?? []).map(({ version, weightPercent }) => [version, weightPercent]);
  const deployed = async (name: string, expected: number[][]): Promise<DeploymentChanged> =>
    eventually(async () => {
      const { desired } = await endpoint(name);
      expect(weights(desired)).toEqual(expected);
      if (!desired) throw new Error('nothing deployed');
      return desired;
    }, PATIENCE);
  const changes = async (name: string) =>
    (await endpoint(name)).history.map(({ change }) => [change?.change, change?.version]);

  async function aLoop(steps: number[]): Promise<string> {
    const name = uniqueName('lateness')
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-');
    await running.apply(aModel(name));
    await running.apply(anEndpoint(name, name, steps));
    return name;
  }

  it('numbers versions, deploys the first, and lets canaries go through their steps to promotion', async () => {
    const name = await aLoop([20, 50]);
    await train(name, 0.75);
    const first = await deployed(name, [[1, 100]]);
    expect(first).toMatchObject({
      generation: 1,
      rollout: undefined,
      behaviour: {
        labelJoinKey: 'flight',
        fallback: { value: 0.2 },
        featureTimeoutMicros: 2_000_000,
        logSampleRate: 1,
      },
    });
    expect(first.versions[0]).toMatchObject({ modelArtifact: { name: 'model.onnx' }, signature: { task: 'binary' } });

    await train(name, 0.78);
    const canary = await deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    expect(canary.rollout).toMatchObject({
      candidateVersion: 2,
      championVersion: 1,
      step: 0,
      paired: true,
      byWaiver: false,
    });

    await judge(canary, RolloutVerdict.HOLD);
    await judge(canary, RolloutVerdict.PROMOTE, { rolloutId: 'another' });
    await judge(canary, RolloutVerdict.PROMOTE);
    const second = await deployed(name, [
      [1, 50],
      [2, 50],
    ]);
    expect(second.rollout).toMatchObject({ rolloutId: canary.rollout?.rolloutId, step: 1 });
    await judge(canary, RolloutVerdict.ROLL_BACK);
    await judge(second, RolloutVerdict.PROMOTE);
    expect(await deployed(name, [[2, 100]])).toMatchObject({ generation: 4, rollout: undefined });

    expect(await changes(name)).toEqual([
      ['deployed', 1],
      ['canary_started', 2],
      ['canary_advanced', 2],
      ['promoted', 2],
    ]);
    expect((await versions(name)).map(({ version, state, aliases }) => ({ version, state, aliases }))).toEqual([
      { version: 1, state: 'validated', aliases: [] },
      { version: 2, state: 'validated', aliases: ['champion'] },
    ]);
    const aliases = (await running.read(topics.registry.name))
      .filter((event) => event.type === events.AliasChanged.type && event.key === name)
      .map((event) => event.data as AliasChanged);
    expect(aliases.map(({ version, previousVersion }) => [version, previousVersion])).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect(aliases[1]?.features).toEqual(['distance', 'delay_3h']);
  });

  it('counts a training once, however often its event is published', async () => {
    const name = await aLoop([20]);
    const runId = randomUUID();
    await train(name, 0.75, { runId });
    await train(name, 0.75, { runId });
    await train(name, 0.79);
    await deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    expect(await versions(name)).toHaveLength(2);
  });

  it('refuses a version that fails a gate, until a person waives it; the bad canary is rolled back', async () => {
    const name = await aLoop([20]);
    await train(name, 0.75);
    await train(name, 0.55, { shuffleLabels: true });
    await eventually(async () => expect((await versions(name))[1]?.state).toBe('refused'), PATIENCE);
    expect((await versions(name))[1]?.gates).toEqual([
      {
        name: 'discriminates',
        criterion: 'auc >= 0.7',
        measured: 0.55,
        passed: false,
        waived: false,
        message: 'auc 0.55 (0.54 to 0.56): at least 0.7 is needed',
      },
    ]);

    const waive = running.registry.waiveGates.bind(running.registry);
    const request = { model: name, version: 2, reason: 'a drill' };
    await expect(running.call(waive, request, 'otto')).rejects.toThrow('approver');
    await expect(running.call(waive, { ...request, reason: ' ' }, 'ann')).rejects.toThrow('reason');
    await expect(running.call(waive, { ...request, version: 1 }, 'ann')).rejects.toThrow('failed no gate');
    await expect(running.call(waive, { ...request, version: 9 }, 'ann')).rejects.toThrow('unknown');
    expect(await running.call(waive, request, 'ann')).toEqual({ gates: ['discriminates'] });
    await expect(running.call(waive, request, 'ann')).rejects.toThrow('failed no gate');

    const canary = await deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    expect(canary.rollout?.byWaiver).toBe(true);
    await judge(canary, RolloutVerdict.ROLL_BACK);
    await deployed(name, [[1, 100]]);
    expect(await changes(name)).toEqual([
      ['deployed', 1],
      ['canary_started', 2],
      ['rolled_back', 2],
    ]);
    expect((await endpoint(name)).history.at(-1)?.change).toMatchObject({
      reason: 'as the spec says',
      actor: 'policy',
    });
  });

  it('waits for a Model that is not defined yet', async () => {
    const name = uniqueName('later')
      .toLowerCase()
      .replaceAll(/[^a-z0-9-]/g, '-');
    await train(name, 0.75);
    await running.apply(aModel(name));
    await eventually(async () => expect(await versions(name)).toHaveLength(1), PATIENCE);
    await running.apply(anEndpoint(name, name, [20]));
    await deployed(name, [[1, 100]]);
  });

  it('lets the newest version wait for the rollout in progress, and starts it then', async () => {
    const name = await aLoop([20]);
    await train(name, 0.75);
    await train(name, 0.76);
    const canary = await deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    await train(name, 0.77);
    await train(name, 0.78);
    await eventually(async () => expect(await versions(name)).toHaveLength(4), PATIENCE);
    await judge(canary, RolloutVerdict.PROMOTE);
    await deployed(name, [
      [2, 80],
      [4, 20],
    ]);
    expect(await changes(name)).toEqual([
      ['deployed', 1],
      ['canary_started', 2],
      ['promoted', 2],
      ['canary_started', 4],
    ]);
  });

  it('rolls a canary back that a gateway cannot load', async () => {
    const name = await aLoop([20]);
    await train(name, 0.75);
    await train(name, 0.76);
    const { generation } = await deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    const failure = {
      endpoint: name,
      generation,
      version: 2,
      code: 'too_large',
      message: '9 GB',
      gateway: 'gateway-1',
    };
    await running.says(events.ModelLoadFailed, failure);
    await deployed(name, [[1, 100]]);
    expect((await endpoint(name)).history.at(-1)?.change?.reason).toContain('too_large: 9 GB');
  });

  it('obeys operators, and heeds after a pause what was found during it', async () => {
    const name = await aLoop([20]);
    const control = running.registry.controlRollout.bind(running.registry);
    const ask = (wanted: RolloutControl, as: 'otto' | 'vera' = 'otto') =>
      running.call(control, { endpoint: name, control: wanted, reason: 'to see' }, as);
    await expect(ask(RolloutControl.PAUSE)).rejects.toThrow('nothing deployed');
    await train(name, 0.75);
    await deployed(name, [[1, 100]]);
    await expect(ask(RolloutControl.PAUSE)).rejects.toThrow('no rollout');
    await train(name, 0.76);
    const canary = await deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    await expect(ask(RolloutControl.PAUSE, 'vera')).rejects.toThrow('operator');
    expect((await ask(RolloutControl.PAUSE)).desired?.rollout?.paused).toBe(true);
    await expect(ask(RolloutControl.PAUSE)).rejects.toThrow('paused already');

    const verdict = await judge(canary, RolloutVerdict.PROMOTE);
    const trace = running.registry.traceEvent.bind(running.registry);
    await eventually(() => running.call(trace, { eventId: verdict }), PATIENCE);
    await train(name, 0.74); // registered after the verdict was read: partitions of one group keep no order, so wait for both
    await eventually(async () => expect(await kept(verdict)).toBe(1), PATIENCE);
    expect(weights((await endpoint(name)).desired)).toEqual([
      [1, 80],
      [2, 20],
    ]);
    expect(weights((await ask(RolloutControl.RESUME)).desired)[0]).toEqual([2, expect.any(Number)]);
    const promoted = await eventually(async () => {
      const { desired } = await endpoint(name);
      expect(desired?.rollout?.candidateVersion).toBe(3);
      return desired;
    }, PATIENCE);
    expect(weights(promoted)).toEqual([
      [2, 80],
      [3, 20],
    ]);
    expect(weights((await ask(RolloutControl.ABORT)).desired)).toEqual([[2, 100]]);
    expect((await changes(name)).map(([change]) => change)).toEqual([
      'deployed',
      'canary_started',
      'paused',
      'resumed',
      'promoted',
      'canary_started',
      'aborted',
    ]);
  });

  it('publishes an endpoint anew when its definition changes, and never under another model', async () => {
    const name = await aLoop([20]);
    await train(name, 0.75);
    await deployed(name, [[1, 100]]);
    await running.apply(anEndpoint(name, name, [20], 0.5));
    await eventually(async () => {
      expect((await endpoint(name)).desired).toMatchObject({ generation: 2, behaviour: { fallback: { value: 0.5 } } });
    }, PATIENCE);
    await running.apply(aModel(`${name}-b`));
    await expect(running.apply(anEndpoint(name, `${name}-b`, [20]))).rejects.toThrow('another endpoint');
  });

  it('loses nothing by a restart in the middle of a rollout', async () => {
    const name = await aLoop([20]);
    await train(name, 0.75);
    await train(name, 0.76);
    const canary = await deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    const verdict = judge(canary, RolloutVerdict.PROMOTE);
    const trained = train(name, 0.77);
    await Promise.all([verdict, trained]);
    await running.stop();
    running = await RunningRegistry.start(site);
    await deployed(name, [
      [2, 80],
      [3, 20],
    ]);
    expect(await versions(name)).toHaveLength(3);
    const published = (await running.read(topics.deployments.name)).filter((event) => event.key === name);
    expect((published.at(-1)?.data as DeploymentChanged).generation).toBe((await endpoint(name)).desired?.generation);
  }, 120_000);

  it('follows causation from a deployment to the first data event', async () => {
    const name = await aLoop([20]);
    const last = {
      id: `${name}/0/9`,
      type: events.DataArrived.type,
      topic: `data.${name}.v1`,
      partition: 0,
      offset: 9,
      timeMicros: 1,
      causationId: 'upstream-9',
    };
    const version = await running.says(
      events.DatasetVersionCommitted,
      {
        dataset: { stream: name, version: 1, manifestDigest: digestOf('d') },
        rows: 10,
        addedRows: 10,
        minEventTimeMicros: 0,
        maxEventTimeMicros: 9,
        maxKnownTimeMicros: 9,
        firstRecord: { ...last, id: `${name}/0/0`, offset: 0 },
        lastRecord: last,
      },
      { cause: { eventId: last.id, correlationId: 'loop' } },
    );
    const trained = randomUUID();
    await running.says(events.ModelTrained, aModelTrained({ model: name, plan: name, runId: randomUUID() }), {
      id: trained,
      cause: { eventId: version, correlationId: 'loop' },
    });
    await deployed(name, [[1, 100]]);
    const deployment = (await running.read(topics.deployments.name)).find((event) => event.key === name);
    const trace = running.registry.traceEvent.bind(running.registry);
    const { chain } = await eventually(async () => {
      const found = await running.call(trace, { eventId: deployment?.eventId ?? '' });
      expect(found.chain[0]?.type).toBe(events.DataArrived.type);
      return found;
    }, PATIENCE);
    expect(chain.map((event) => event.type.split('.').at(-1))).toEqual([
      'DataArrived',
      'DatasetVersionCommitted',
      'ModelTrained',
      'ModelVersionRegistered',
      'GateEvaluated',
      'ModelVersionValidated',
      'DeploymentChanged',
    ]);
    expect(chain[0]?.causationId).toBe('upstream-9');
    expect(new Set(chain.map((event) => event.correlationId))).toEqual(new Set(['loop']));
    await expect(running.call(trace, { eventId: 'never' })).rejects.toThrow('not indexed');
  });

  it('keeps an audit log that shows when it was tampered with', async () => {
    const list = running.registry.listAuditEntries.bind(running.registry);
    const audit = () => running.call(list, { afterSequence: 0, limit: 1_000 });
    const { entries, chainIntact } = await audit();
    expect(chainIntact).toBe(true);
    const actions = new Set(entries.map((entry) => entry.action));
    for (const action of [
      'definition.applied',
      'alias.changed',
      'gates.waived',
      'endpoint.deployed',
      'endpoint.paused',
      'endpoint.aborted',
    ]) {
      expect(actions).toContain(action);
    }
    const waiver = entries.find((entry) => entry.action === 'gates.waived');
    expect(waiver).toMatchObject({ actor: 'ann' });
    expect(JSON.parse(waiver?.detailJson ?? '{}')).toMatchObject({ reason: 'a drill', gates: ['discriminates'] });
    expect((await running.call(list, { afterSequence: 2, limit: 3 })).entries.map((entry) => entry.sequence)).toEqual([
      3, 4, 5,
    ]);
    await expect(running.call(list, { afterSequence: 0, limit: 5_000 })).rejects.toThrow('limit');

    const database = new Client({ connectionString: site.database.url });
    await database.connect();
    try {
      await database.query('SET search_path TO registry');
      for (const sql of [
        'UPDATE audit_entries SET actor = $$eve$$',
        'DELETE FROM audit_entries',
        'TRUNCATE audit_entries',
      ]) {
        await expect(database.query(sql)).rejects.toThrow('never changed');
      }
      await database.query('ALTER TABLE audit_entries DISABLE TRIGGER USER');
      await database.query(`UPDATE audit_entries SET actor = 'eve' WHERE action = 'gates.waived'`);
      expect((await audit()).chainIntact).toBe(false);
      await database.query(`UPDATE audit_entries SET actor = 'ann' WHERE action = 'gates.waived'`);
      expect((await audit()).chainIntact).toBe(true);
      await database.query('DELETE FROM audit_entries WHERE sequence = (SELECT max(sequence) FROM audit_entries)');
      expect((await audit()).chainIntact).toBe(false);
    } finally {
      await database.end();
    }
  });

  async function kept(eventId: string): Promise<number> {
    const database = new Client({ connectionString: site.database.url });
    await database.connect();
    try {
      const sql = 'SELECT count(*)::int AS kept FROM registry.rollout_analyses WHERE event_id = $1';
      return (await database.query<{ kept: number }>(sql, [eventId])).rows[0]?.kept ?? 0;
    } finally {
      await database.end();
    }
  }
});
