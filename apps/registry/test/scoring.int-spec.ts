import { randomUUID } from 'node:crypto';
import { events, topics } from '@headrace/contracts';
import { DefinitionPhase } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import type { ScoringRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { StartScoringRequest, StartScoringResponse } from '@headrace/contracts/proto/registry/v1/registry_service';
import { canonicalJson, kinds, versionOf } from '@headrace/definitions';
import { DefinitionReader } from '@headrace/definition-store';
import { eventually } from '@headrace/testing';
import { PATIENCE, RegistryWorld } from './registry-world';

describe('asking for scores, on the real Kafka and Postgres', () => {
  let world: RegistryWorld;

  beforeAll(async () => {
    world = await RegistryWorld.create();
  }, 120_000);
  afterAll(() => world.remove(), 60_000);

  function ask(
    request: Partial<StartScoringRequest>,
    as: 'otto' | 'vera' | 'ann' = 'otto',
  ): Promise<StartScoringResponse> {
    const { registry } = world.running;
    const whole = { jobId: '', endpoint: '', model: '', version: 0, stream: 'departures', datasetVersion: 0 };
    return world.running.call(registry.startScoring.bind(registry), { ...whole, ...request }, as);
  }

  async function planOf(model: string): Promise<void> {
    const definition = kinds.TrainingPlan.parse({
      apiVersion: 'headrace.dev/v1',
      kind: 'TrainingPlan',
      metadata: { name: `plan-of-${model}` },
      spec: {
        model,
        task: 'binary',
        spine: { stream: 'departures', entities: { origin: 'record.origin' } },
        label: { stream: 'landings', expression: 'record.delay > 15' },
        features: [{ name: 'distance', request: 'request.distance' }],
        trainer: { algorithm: 'lightgbm' },
      },
    });
    const { name } = definition.metadata;
    await world.running.says(events.DefinitionChanged, {
      kind: definition.kind,
      name,
      version: versionOf(definition),
      generation: 1,
      documentJson: canonicalJson(definition),
      phase: DefinitionPhase.READY,
      waitingFor: [],
      changedBy: 'spec',
    });
    const reader = world.running.app.get(DefinitionReader);
    await eventually(() => expect(reader.get('TrainingPlan', name)).toBeDefined(), PATIENCE);
  }

  async function asked(model: string): Promise<ScoringRequested[]> {
    return (await world.running.read(topics.registry.name))
      .filter((event) => event.type === events.ScoringRequested.type && event.key === model)
      .map((event) => event.data as ScoringRequested);
  }

  it('lets the champion of an endpoint score, once for each job id, and audits who asked', async () => {
    const name = await world.aLoop([20]);
    // The definition comes by the log.
    await eventually(
      () => expect(ask({ endpoint: name })).rejects.toThrow(`endpoint "${name}" has nothing deployed yet`),
      PATIENCE,
    );
    await world.train(name, 0.75);
    await world.deployed(name, [[1, 100]]);
    await expect(ask({ endpoint: name })).rejects.toThrow(`TrainingPlan "plan-of-${name}"`);
    await planOf(name);

    const jobId = randomUUID();
    const first = await ask({ jobId, endpoint: name, datasetVersion: 3 });
    expect(first).toEqual({ jobId, model: name, version: 1, known: false });
    expect(await ask({ jobId, endpoint: name, datasetVersion: 3 })).toEqual({ ...first, known: true });
    await expect(ask({ jobId, endpoint: name, datasetVersion: 4 })).rejects.toThrow('choose another');
    await eventually(async () => expect(await asked(name)).toHaveLength(1), PATIENCE);
    expect((await asked(name))[0]).toMatchObject({
      jobId,
      version: 1,
      endpoint: name,
      plan: `plan-of-${name}`,
      stream: 'departures',
      datasetVersion: 3,
      requestedBy: 'otto',
      signature: { task: 'binary' },
    });
    const { registry } = world.running;
    const audit = await world.running.call(registry.listAuditEntries.bind(registry), {
      afterSequence: 0,
      limit: 1_000,
      subjects: [],
    });
    expect(audit.chainIntact).toBe(true);
    expect(audit.entries.filter(({ action }) => action === 'scoring.requested')).toMatchObject([
      { actor: 'otto', subject: `Model/${name}/1` },
    ]);
  });

  it('says what is wrong with a request', async () => {
    const name = await world.aLoop([20]);
    await world.train(name, 0.75);
    await world.deployed(name, [[1, 100]]);
    await planOf(name);
    await world.train(name, 0.5);
    await eventually(async () => expect((await world.versions(name))[1]?.state).toBe('refused'), PATIENCE);
    const model = name;
    await expect(ask({ endpoint: name }, 'vera')).rejects.toThrow('operator');
    await expect(ask({})).rejects.toThrow('expected either endpoint, or model and version');
    await expect(ask({ endpoint: name, model, version: 1 })).rejects.toThrow('expected no model and version beside it');
    await expect(ask({ endpoint: 'nowhere' })).rejects.toThrow('there is no Endpoint "nowhere"');
    await expect(ask({ model, version: 9 })).rejects.toThrow('has no version 9');
    await expect(ask({ model, version: 2 })).rejects.toThrow('its gates must pass or be waived first');
    await expect(ask({ model, version: 1, stream: 'landings' })).rejects.toThrow('expected "departures"');
    await expect(ask({ model, version: 1, jobId: '../x' })).rejects.toThrow('job_id: expected 1 to 100 letters');
    await expect(ask({ model, version: 1, datasetVersion: -1 })).rejects.toThrow('dataset_version');
    expect(await asked(name)).toHaveLength(0);
  });
});
