import { randomUUID } from 'node:crypto';
import { events, topics } from '@headrace/contracts';
import { RolloutVerdict } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { AliasChanged, DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { RolloutControl } from '@headrace/contracts/proto/registry/v1/registry_service';
import { eventually } from '@headrace/testing';
import { aModelTrained } from './builders';
import { aModel, anEndpoint, nameOf, PATIENCE, RegistryWorld, weightsOf } from './registry-world';

describe('registry on the real Kafka and Postgres', () => {
  let world: RegistryWorld;

  beforeAll(async () => {
    world = await RegistryWorld.create();
  }, 120_000);

  afterAll(() => world.remove(), 60_000);

  it('numbers versions, deploys the first, and lets canaries go through their steps to promotion', async () => {
    const name = await world.aLoop([20, 50]);
    await world.train(name, 0.75);
    const first = await world.deployed(name, [[1, 100]]);
    expect(first).toMatchObject({
      generation: 1,
      rollout: undefined,
      behaviour: {
        labelJoinKey: 'flight',
        fallback: { value: 0.2 },
        featureTimeoutMicros: 2_000_000,
        logSampleRate: 1,
        personal: [],
      },
    });
    expect(first.versions[0]).toMatchObject({ modelArtifact: { name: 'model.onnx' }, signature: { task: 'binary' } });

    await world.train(name, 0.78);
    const canary = await world.deployed(name, [
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

    await world.judge(canary, RolloutVerdict.HOLD);
    await world.judge(canary, RolloutVerdict.PROMOTE, { rolloutId: 'another' });
    await world.judge(canary, RolloutVerdict.PROMOTE);
    const second = await world.deployed(name, [
      [1, 50],
      [2, 50],
    ]);
    expect(second.rollout).toMatchObject({ rolloutId: canary.rollout?.rolloutId, step: 1 });
    await world.judge(canary, RolloutVerdict.ROLL_BACK);
    await world.judge(second, RolloutVerdict.PROMOTE);
    expect(await world.deployed(name, [[2, 100]])).toMatchObject({ generation: 4, rollout: undefined });

    expect(await world.changes(name)).toEqual([
      ['deployed', 1],
      ['canary_started', 2],
      ['canary_advanced', 2],
      ['promoted', 2],
    ]);
    expect((await world.versions(name)).map(({ version, state, aliases }) => ({ version, state, aliases }))).toEqual([
      { version: 1, state: 'validated', aliases: [] },
      { version: 2, state: 'validated', aliases: ['champion'] },
    ]);
    const aliases = (await world.running.read(topics.registry.name))
      .filter((event) => event.type === events.AliasChanged.type && event.key === name)
      .map((event) => event.data as AliasChanged);
    expect(aliases.map(({ version, previousVersion }) => [version, previousVersion])).toEqual([
      [1, 0],
      [2, 1],
    ]);
    expect(aliases[1]?.features).toEqual(['distance', 'delay_3h']);
  });

  it('counts a training once, however often its event is published', async () => {
    const name = await world.aLoop([20]);
    const runId = randomUUID();
    await world.train(name, 0.75, { runId });
    await world.train(name, 0.75, { runId });
    await world.train(name, 0.79);
    await world.deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    expect(await world.versions(name)).toHaveLength(2);
  });

  it('refuses a version that fails a gate, until a person waives it; the bad canary is rolled back', async () => {
    const name = await world.aLoop([20]);
    await world.train(name, 0.75);
    await world.train(name, 0.55, { shuffleLabels: true });
    await eventually(async () => expect((await world.versions(name))[1]?.state).toBe('refused'), PATIENCE);
    expect((await world.versions(name))[1]?.gates).toEqual([
      {
        name: 'discriminates',
        criterion: 'auc >= 0.7',
        measured: 0.55,
        passed: false,
        waived: false,
        message: 'auc 0.55 (0.54 to 0.56): at least 0.7 is needed',
      },
    ]);

    const waive = world.running.registry.waiveGates.bind(world.running.registry);
    const request = { model: name, version: 2, reason: 'a drill' };
    await expect(world.running.call(waive, request, 'otto')).rejects.toThrow('approver');
    await expect(world.running.call(waive, { ...request, reason: ' ' }, 'ann')).rejects.toThrow('reason');
    await expect(world.running.call(waive, { ...request, version: 1 }, 'ann')).rejects.toThrow('failed no gate');
    await expect(world.running.call(waive, { ...request, version: 9 }, 'ann')).rejects.toThrow('unknown');
    expect(await world.running.call(waive, request, 'ann')).toEqual({ gates: ['discriminates'] });
    await expect(world.running.call(waive, request, 'ann')).rejects.toThrow('failed no gate');

    const canary = await world.deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    expect(canary.rollout?.byWaiver).toBe(true);
    await world.judge(canary, RolloutVerdict.ROLL_BACK);
    await world.deployed(name, [[1, 100]]);
    expect(await world.changes(name)).toEqual([
      ['deployed', 1],
      ['canary_started', 2],
      ['rolled_back', 2],
    ]);
    expect((await world.endpoint(name)).history.at(-1)?.change).toMatchObject({
      reason: 'as the spec says',
      actor: 'policy',
    });
  });

  it('rolls a version of a manual model out when an operator says so, and not before', async () => {
    const name = nameOf('manual');
    await world.running.apply(aModel(name, { promotion: 'manual' }));
    await world.running.apply(anEndpoint(name, name, [20]));
    await world.train(name, 0.75);
    await world.train(name, 0.55, { shuffleLabels: true });
    await world.train(name, 0.78);
    await eventually(async () => expect(await world.versions(name)).toHaveLength(3), PATIENCE);
    expect((await world.versions(name)).map(({ state }) => state)).toEqual(['validated', 'refused', 'validated']);

    const start = world.running.registry.startRollout.bind(world.running.registry);
    const request = { endpoint: name, version: 1, reason: 'reviewed' };
    await expect(world.running.call(start, request, 'ann')).rejects.toThrow('operator');
    await expect(world.running.call(start, { ...request, reason: '' }, 'otto')).rejects.toThrow('reason');
    await expect(world.running.call(start, { ...request, version: 2 }, 'otto')).rejects.toThrow('gates');
    await expect(world.running.call(start, { ...request, version: 9 }, 'otto')).rejects.toThrow('no version 9');
    await expect(world.running.call(start, { ...request, endpoint: 'nowhere' }, 'otto')).rejects.toThrow('nowhere');
    expect(await world.running.call(start, request, 'otto')).toMatchObject({ waits: false });
    await world.deployed(name, [[1, 100]]);
    await expect(world.running.call(start, request, 'otto')).rejects.toThrow('already');

    await world.running.call(start, { ...request, version: 3 }, 'otto');
    await world.deployed(name, [
      [1, 80],
      [3, 20],
    ]);
    expect(await world.changes(name)).toEqual([
      ['deployed', 1],
      ['canary_started', 3],
    ]);
    expect((await world.endpoint(name)).history.at(-1)?.change).toMatchObject({ reason: 'reviewed', actor: 'otto' });
  });

  it('waits for a Model that is not defined yet', async () => {
    const name = nameOf('later');
    await world.train(name, 0.75);
    await world.running.apply(aModel(name));
    await eventually(async () => expect(await world.versions(name)).toHaveLength(1), PATIENCE);
    await world.running.apply(anEndpoint(name, name, [20]));
    await world.deployed(name, [[1, 100]]);
  });

  it('lets the newest version wait for the rollout in progress, and starts it then', async () => {
    const name = await world.aLoop([20]);
    await world.train(name, 0.75);
    await world.train(name, 0.76);
    const canary = await world.deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    await world.train(name, 0.77);
    await world.train(name, 0.78);
    await eventually(async () => expect(await world.versions(name)).toHaveLength(4), PATIENCE);
    await world.judge(canary, RolloutVerdict.PROMOTE);
    await world.deployed(name, [
      [2, 80],
      [4, 20],
    ]);
    expect(await world.changes(name)).toEqual([
      ['deployed', 1],
      ['canary_started', 2],
      ['promoted', 2],
      ['canary_started', 4],
    ]);
  });

  it('rolls a canary back that a gateway cannot load', async () => {
    const name = await world.aLoop([20]);
    await world.train(name, 0.75);
    await world.train(name, 0.76);
    const { generation } = await world.deployed(name, [
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
    await world.running.says(events.ModelLoadFailed, failure);
    await world.deployed(name, [[1, 100]]);
    expect((await world.endpoint(name)).history.at(-1)?.change?.reason).toContain('too_large: 9 GB');
  });

  it('obeys operators, and heeds after a pause what was found during it', async () => {
    const name = await world.aLoop([20]);
    const control = world.running.registry.controlRollout.bind(world.running.registry);
    const ask = (wanted: RolloutControl, as: 'otto' | 'vera' = 'otto') =>
      world.running.call(control, { endpoint: name, control: wanted, reason: 'to see' }, as);
    await expect(ask(RolloutControl.PAUSE)).rejects.toThrow('nothing deployed');
    await world.train(name, 0.75);
    await world.deployed(name, [[1, 100]]);
    await expect(ask(RolloutControl.PAUSE)).rejects.toThrow('no rollout');
    await world.train(name, 0.76);
    const canary = await world.deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    await expect(ask(RolloutControl.PAUSE, 'vera')).rejects.toThrow('operator');
    expect((await ask(RolloutControl.PAUSE)).desired?.rollout?.paused).toBe(true);
    await expect(ask(RolloutControl.PAUSE)).rejects.toThrow('paused already');

    const verdict = await world.judge(canary, RolloutVerdict.PROMOTE);
    await world.train(name, 0.74);
    await eventually(async () => expect(await world.versions(name)).toHaveLength(3), PATIENCE);
    await eventually(async () => expect(await world.kept(verdict)).toBe(1), PATIENCE);
    expect(weightsOf((await world.endpoint(name)).desired)).toEqual([
      [1, 80],
      [2, 20],
    ]);
    expect(weightsOf((await ask(RolloutControl.RESUME)).desired)[0]).toEqual([2, expect.any(Number)]);
    const promoted = await eventually(async () => {
      const { desired } = await world.endpoint(name);
      expect(desired?.rollout?.candidateVersion).toBe(3);
      return desired;
    }, PATIENCE);
    expect(weightsOf(promoted)).toEqual([
      [2, 80],
      [3, 20],
    ]);
    expect(weightsOf((await ask(RolloutControl.ABORT)).desired)).toEqual([[2, 100]]);
    expect((await world.changes(name)).map(([change]) => change)).toEqual([
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
    const name = await world.aLoop([20]);
    await world.train(name, 0.75);
    await world.deployed(name, [[1, 100]]);
    await world.running.apply(anEndpoint(name, name, [20], 0.5));
    await eventually(async () => {
      expect((await world.endpoint(name)).desired).toMatchObject({
        generation: 2,
        behaviour: { fallback: { value: 0.5 } },
      });
    }, PATIENCE);
    await world.running.apply(aModel(`${name}-b`));
    await expect(world.running.apply(anEndpoint(name, `${name}-b`, [20]))).rejects.toThrow('another endpoint');
  });

  it('loses nothing by a restart in the middle of a rollout', async () => {
    const name = await world.aLoop([20]);
    await world.train(name, 0.75);
    await world.train(name, 0.76);
    const canary = await world.deployed(name, [
      [1, 80],
      [2, 20],
    ]);
    const verdict = world.judge(canary, RolloutVerdict.PROMOTE);
    const trained = world.train(name, 0.77);
    await Promise.all([verdict, trained]);
    await world.restart();
    await world.deployed(name, [
      [2, 80],
      [3, 20],
    ]);
    expect(await world.versions(name)).toHaveLength(3);
    const published = (await world.running.read(topics.deployments.name)).filter((event) => event.key === name);
    expect((published.at(-1)?.data as DeploymentChanged).generation).toBe(
      (await world.endpoint(name)).desired?.generation,
    );
  }, 120_000);

  it('follows causation from a deployment to the first data event', async () => {
    const name = await world.aLoop([20]);
    const version = await world.commits(name, 'loop');
    const trained = randomUUID();
    await world.running.says(events.ModelTrained, aModelTrained({ model: name, plan: name, runId: randomUUID() }), {
      id: trained,
      cause: { eventId: version, correlationId: 'loop' },
    });
    await world.deployed(name, [[1, 100]]);
    const deployment = (await world.running.read(topics.deployments.name)).find((event) => event.key === name);
    const trace = world.running.registry.traceEvent.bind(world.running.registry);
    const { chain } = await eventually(async () => {
      const found = await world.running.call(trace, { eventId: deployment?.eventId ?? '' });
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
    // The other way: everything that followed from the training, in a tree.
    const { effects, effectsCut } = await world.running.call(trace, { eventId: trained });
    expect(effectsCut).toBe(false);
    expect(effects.filter((event) => chain.some(({ id }) => id === event.id)).map((event) => event.id)).toEqual(
      chain.slice(3).map((event) => event.id),
    );
    expect(effects.every((event) => [trained, ...effects.map(({ id }) => id)].includes(event.causationId))).toBe(true);
    expect(chain[0]?.causationId).toBe('upstream-9');
    expect(new Set(chain.map((event) => event.correlationId))).toEqual(new Set(['loop']));
    await expect(world.running.call(trace, { eventId: 'never' })).rejects.toThrow('not indexed');
  });

  it('keeps an audit log that shows when it was tampered with', async () => {
    const list = world.running.registry.listAuditEntries.bind(world.running.registry);
    const audit = () => world.running.call(list, { afterSequence: 0, limit: 1_000, subjects: [] });
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
    expect(
      (await world.running.call(list, { afterSequence: 2, limit: 3, subjects: [] })).entries.map(
        (entry) => entry.sequence,
      ),
    ).toEqual([3, 4, 5]);
    const about = await world.running.call(list, { afterSequence: 0, limit: 1_000, subjects: [waiver?.subject ?? ''] });
    expect(about).toMatchObject({ chainIntact: true, entries: [{ sequence: waiver?.sequence }] });
    await expect(world.running.call(list, { afterSequence: 0, limit: 5_000, subjects: [] })).rejects.toThrow('limit');

    await world.withDatabase(async (database) => {
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
    });
  });
});
