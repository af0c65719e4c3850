// Gates that ask for a replay, on the real Kafka and Postgres; the spec plays monitoring.
import { events } from '@headrace/contracts';
import { ReplayCompleted } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import type { ReplayRequested } from '@headrace/contracts/proto/registry/v1/registry_events';
import type { ModelVersion } from '@headrace/contracts/proto/registry/v1/registry_service';
import { kinds } from '@headrace/definitions';
import { nowMicros, parseDuration } from '@headrace/event-time';
import type { LogEvent } from '@headrace/messaging';
import { eventually } from '@headrace/testing';
import { anEndpoint, nameOf, PATIENCE, RegistryWorld } from './registry-world';

jest.setTimeout(180_000);
const PROVED = 'proved_on_past_requests';

describe('a gate that asks for a replay', () => {
  let world: RegistryWorld;
  beforeAll(async () => {
    world = await RegistryWorld.create();
  });
  afterAll(() => world?.remove());

  /** A model whose gate wants a replay, and its endpoint; version 1 serves because its gate was waived. */
  async function aServingLoop(whenInconclusive: 'pass' | 'fail' = 'fail'): Promise<string> {
    const name = nameOf('lateness');
    const replay = { endpoint: name, since: '7d', minimumRows: 100, wait: '1h', whenInconclusive };
    const gates = [
      { name: 'discriminates', metric: 'auc', min: 0.7 },
      { name: PROVED, metric: 'improvement', min: -0.01, bound: 'low', replay },
    ];
    const document = { apiVersion: 'headrace.dev/v1', kind: 'Model', metadata: { name } };
    await world.running.apply(kinds.Model.parse({ ...document, spec: { task: 'binary', gates } }));
    await world.running.apply(anEndpoint(name, name, [50]));
    await world.train(name, 0.75);
    if (whenInconclusive === 'fail') {
      await inState(name, 1, 'refused');
      await waive(name, 1);
    }
    await world.deployed(name, [[1, 100]]);
    return name;
  }

  function inState(model: string, version: number, state: string): Promise<ModelVersion> {
    return eventually(async () => {
      const found = (await world.versions(model)).find((one) => one.version === version);
      expect(found?.state).toBe(state);
      if (!found) throw new Error('no such version');
      return found;
    }, PATIENCE);
  }

  const gateOf = (version: ModelVersion) => version.gates.find((gate) => gate.name === PROVED);

  function waive(model: string, version: number): Promise<unknown> {
    const { registry } = world.running;
    return world.running.call(registry.waiveGates.bind(registry), { model, version, reason: 'a drill' }, 'ann');
  }

  async function requested(model: string, version: number): Promise<LogEvent & { data: ReplayRequested }> {
    return eventually(async () => {
      const all = await world.running.read(events.ReplayRequested.topic.name);
      const found = all.find((event) => {
        const data = event.data as Partial<ReplayRequested>;
        return event.type === events.ReplayRequested.type && data.model === model && data.version === version;
      });
      if (!found) throw new Error('not requested yet');
      return found as LogEvent & { data: ReplayRequested };
    }, PATIENCE);
  }

  async function answers(model: string, version: number, fields: Partial<ReplayCompleted>): Promise<string> {
    const { eventId, correlationId, data } = await requested(model, version);
    const completed = ReplayCompleted.fromPartial({ model, version, gate: data.gate, endpoint: data.endpoint });
    return world.running.says(
      events.ReplayCompleted,
      { ...completed, ...fields },
      { cause: { eventId, correlationId } },
    );
  }

  it('cannot be told where nothing was deployed yet: as declared, it fails or passes at once', async () => {
    const name = await aServingLoop();
    const [first] = await world.versions(name);
    expect(first?.state).toBe('waived');
    expect(first && gateOf(first)).toMatchObject({ passed: false, waived: true });
    expect(first && gateOf(first)?.message).toBe(`inconclusive: endpoint "${name}" has answered nothing yet`);
    const passing = await aServingLoop('pass');
    const [other] = await world.versions(passing);
    expect(other).toMatchObject({ state: 'validated' });
    expect(other && gateOf(other)).toMatchObject({ passed: true, waived: false });
  });

  it('keeps the version from traffic until its replay is there, also over a restart', async () => {
    const name = await aServingLoop();
    await world.train(name, 0.78);
    const waiting = await inState(name, 2, 'registered');
    expect(gateOf(waiting)).toMatchObject({ passed: false, message: 'waits for labelled requests to replay' });
    const { data } = await requested(name, 2);
    expect(data).toMatchObject({ endpoint: name, metric: 'improvement', bound: 'low', minimumRows: 100 });
    expect(data.sinceMicros).toBe(parseDuration('7d'));
    await world.restart();
    expect((await world.endpoint(name)).desired?.rollout).toBeUndefined();
    const answer = await answers(name, 2, { measured: { value: 0.001, low: -0.009, high: 0.01 }, rows: 120 });
    const validated = await inState(name, 2, 'validated');
    expect(gateOf(validated)).toMatchObject({
      criterion: `lower bound of improvement on requests of ${name} of the last 7d >= -0.01`,
      measured: -0.009,
      passed: true,
    });
    await world.deployed(name, [
      [1, 50],
      [2, 50],
    ]);
    const { registry } = world.running;
    const call = registry.traceEvent.bind(registry);
    await eventually(async () => {
      const { chain } = await world.running.call(call, { eventId: validated.gateEventId });
      const types = chain.map(({ type }) => type.split('.').at(-1));
      expect(types.slice(-4)).toEqual([
        'ModelVersionRegistered',
        'ReplayRequested',
        'ReplayCompleted',
        'GateEvaluated',
      ]);
      expect(chain.at(-2)?.id).toBe(answer);
    }, PATIENCE);
  });

  it('refuses a version that may be worse, and asks for nothing when another gate failed already', async () => {
    const name = await aServingLoop();
    await world.train(name, 0.78);
    await answers(name, 2, { measured: { value: 0.001, low: -0.02, high: 0.02 }, rows: 120 });
    expect(gateOf(await inState(name, 2, 'refused'))?.message).toContain('at least -0.01 is needed');
    await world.train(name, 0.5);
    expect(gateOf(await inState(name, 3, 'refused'))?.message).toBe('not replayed: another gate failed');
  });

  it('can be waived while it waits; the answer that comes then changes nothing', async () => {
    const name = await aServingLoop();
    await world.train(name, 0.78);
    await inState(name, 2, 'registered');
    await waive(name, 2);
    await inState(name, 2, 'waived');
    await answers(name, 2, { measured: { value: -1, low: -1, high: -1 }, rows: 120 });
    await world.train(name, 0.79);
    await answers(name, 3, { measured: { value: 0, low: 0, high: 0 }, rows: 120 });
    // The answers have one order: when the later one was heeded, so was the first.
    await inState(name, 3, 'validated');
    expect(gateOf(await inState(name, 2, 'waived'))).toMatchObject({ passed: false, waived: true });
  });

  it('does not wait for ever: unanswered, it passes or fails as declared', async () => {
    for (const [declared, state] of [
      ['pass', 'validated'],
      ['fail', 'refused'],
    ] as const) {
      const name = await aServingLoop(declared);
      await world.train(name, 0.78);
      await inState(name, 2, 'registered');
      await world.withDatabase((database) =>
        database.query('UPDATE waiting_replays SET deadline_micros = $2 WHERE model = $1', [
          name,
          nowMicros() - parseDuration('5m'),
        ]),
      );
      const ended = await inState(name, 2, state);
      expect(gateOf(ended)?.message).toContain('inconclusive: monitoring did not answer in time');
    }
  });
});
