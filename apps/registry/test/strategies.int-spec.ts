import { events } from '@headrace/contracts';
import { RolloutVerdict } from '@headrace/contracts/proto/monitoring/v1/monitoring_events';
import { GuardrailAction, VersionRole } from '@headrace/contracts/proto/registry/v1/registry_events';
import { RolloutControl } from '@headrace/contracts/proto/registry/v1/registry_service';
import { eventually } from '@headrace/testing';
import { anEndpoint, PATIENCE, RegistryWorld, weightsOf } from './registry-world';

describe('strategies of a rollout on the real Kafka and Postgres', () => {
  let world: RegistryWorld;

  beforeAll(async () => {
    world = await RegistryWorld.create();
  }, 120_000);

  afterAll(() => world.remove(), 60_000);

  const passed = (name: string): Promise<boolean> =>
    world.withDatabase(async (database) => {
      const sql = `SELECT passed FROM rollouts WHERE endpoint = $1 AND state = 'running'`;
      return (await database.query<{ passed: boolean }>(sql, [name])).rows[0]?.passed ?? false;
    });

  it('takes a canary through its pauses, across a restart in each of them', async () => {
    const { name, rolling } = await world.aRollingLoop({
      steps: [
        { weight: 10, pause: '3s' },
        { weight: 50, pause: 'until-resumed' },
      ],
    });
    expect(rolling.rollout).toMatchObject({ strategy: 'canary', step: 0, assignmentUnit: '' });
    await world.judge(rolling, RolloutVerdict.PROMOTE);
    await eventually(async () => expect(await passed(name)).toBe(true), PATIENCE);
    await world.restart();
    const second = await world.deployed(name, [
      [1, 50],
      [2, 50],
    ]);
    const { stepStartedAtMicros, startedAtMicros } = second.rollout ?? { stepStartedAtMicros: 0, startedAtMicros: 0 };
    expect(stepStartedAtMicros - startedAtMicros).toBeGreaterThanOrEqual(3_000_000);

    await world.judge(second, RolloutVerdict.PROMOTE);
    await eventually(async () => expect((await world.endpoint(name)).desired?.rollout?.paused).toBe(true), PATIENCE);
    await world.restart();
    expect(weightsOf((await world.endpoint(name)).desired)).toEqual([
      [1, 50],
      [2, 50],
    ]);
    expect(weightsOf(await world.commands(name, RolloutControl.RESUME, 'looked at it'))).toEqual([[2, 100]]);
    const { history } = await world.endpoint(name);
    expect(history.map(({ change }) => [change?.change, change?.actor])).toEqual([
      ['deployed', 'policy'],
      ['canary_started', 'policy'],
      ['canary_advanced', 'policy'],
      ['paused', 'policy'],
      ['resumed', 'otto'],
      ['promoted', 'policy'],
    ]);
  }, 180_000);

  it('holds a step that nobody could judge: no traffic is never a success', async () => {
    const { name, rolling } = await world.aRollingLoop({ steps: [{ weight: 10 }] });
    const verdict = await world.judge(rolling, RolloutVerdict.INCONCLUSIVE, { pairs: 0, reason: 'no request' });
    await eventually(async () => expect(await world.kept(verdict)).toBe(1), PATIENCE);
    expect(weightsOf((await world.endpoint(name)).desired)).toEqual([
      [1, 90],
      [2, 10],
    ]);
    expect(await world.changes(name)).toHaveLength(2);
  });

  it('switches blue-green at once, and back at once when green turns out worse', async () => {
    const { name, rolling } = await world.aRollingLoop({ strategy: 'blue-green', keepPrevious: '1h' });
    expect(weightsOf(rolling)).toEqual([
      [1, 100],
      [2, 0],
    ]);
    await world.judge(rolling, RolloutVerdict.PROMOTE);
    const switched = await world.deployed(name, [
      [1, 0],
      [2, 100],
    ]);
    await world.judge(switched, RolloutVerdict.ROLL_BACK);
    await world.deployed(name, [[1, 100]]);
    expect((await world.changes(name)).map(([change]) => change)).toEqual([
      'deployed',
      'rollout_started',
      'rollout_advanced',
      'rolled_back',
    ]);
  });

  it('lets blue go when the time of green is over', async () => {
    const { name, rolling } = await world.aRollingLoop({ strategy: 'blue-green', keepPrevious: '1s' });
    await world.judge(rolling, RolloutVerdict.PROMOTE);
    await world.deployed(name, [[2, 100]]);
    expect((await world.changes(name)).at(-1)).toEqual(['promoted', 2]);
  });

  it('never lets a shadow answer by itself; a person promotes it', async () => {
    const { name, rolling } = await world.aRollingLoop({ strategy: 'shadow' });
    expect(rolling.versions.map(({ role, weightPercent }) => [role, weightPercent])).toEqual([
      [VersionRole.CHAMPION, 100],
      [VersionRole.SHADOW, 0],
    ]);
    const verdict = await world.judge(rolling, RolloutVerdict.PROMOTE);
    await eventually(async () => expect(await world.kept(verdict)).toBe(1), PATIENCE);
    expect(weightsOf((await world.endpoint(name)).desired)).toEqual([
      [1, 100],
      [2, 0],
    ]);
    expect(weightsOf(await world.commands(name, RolloutControl.PROMOTE, 'read the comparison'))).toEqual([[2, 100]]);
    const list = world.running.registry.listAuditEntries.bind(world.running.registry);
    const { entries } = await world.running.call(list, { afterSequence: 0, limit: 1_000, subjects: [] });
    const promoted = entries.find((entry) => entry.action === 'endpoint.promoted' && entry.subject.endsWith(name));
    expect(promoted).toMatchObject({ actor: 'otto' });
    expect(promoted?.detailJson).toContain('read the comparison');
  });

  it('makes a challenger champion by its verdict', async () => {
    const { name, rolling } = await world.aRollingLoop({ strategy: 'champion-challenger' });
    expect(rolling.versions[1]).toMatchObject({ role: VersionRole.SHADOW, weightPercent: 0 });
    await world.judge(rolling, RolloutVerdict.PROMOTE);
    await world.deployed(name, [[2, 100]]);
  });

  it('names the unit of an A/B rollout, and a person aborts it while it is paused', async () => {
    const { name, rolling } = await world.aRollingLoop({ strategy: 'ab', unit: 'customer', steps: [{ weight: 50 }] });
    expect(rolling.rollout).toMatchObject({ strategy: 'ab', assignmentUnit: 'customer' });
    await world.commands(name, RolloutControl.PAUSE);
    expect(weightsOf(await world.commands(name, RolloutControl.ABORT, 'wrong audience'))).toEqual([[1, 100]]);
    const { history } = await world.endpoint(name);
    expect(history.at(-1)?.change).toMatchObject({ change: 'aborted', actor: 'otto', reason: 'wrong audience' });
  });

  it('rolls a shadow back that a gateway cannot load', async () => {
    const { name, rolling } = await world.aRollingLoop({ strategy: 'shadow' });
    const { generation } = rolling;
    const failure = {
      endpoint: name,
      generation,
      version: 2,
      code: 'crashed',
      message: 'SIGSEGV',
      gateway: 'gateway-1',
    };
    await world.running.says(events.ModelLoadFailed, failure);
    await world.deployed(name, [[1, 100]]);
  });

  it('deploys the fallback version of guardrails, which must have passed its gates', async () => {
    const { name } = await world.aRollingLoop({ strategy: 'shadow' });
    await world.commands(name, RolloutControl.PROMOTE);
    const declared = (fallbackVersion: number) => {
      const endpoint = anEndpoint(name, name, [20]);
      const lowConfidence = { action: 'fallback-model', below: 0.7 } as const;
      const guardrails = { lowConfidence, fallbackVersion };
      return { ...endpoint, spec: { ...endpoint.spec, guardrails } };
    };
    await expect(world.running.apply(declared(9))).rejects.toThrow('version 9 of');
    await world.running.apply(declared(1));
    const desired = await world.deployed(name, [
      [2, 100],
      [1, 0],
    ]);
    expect(desired.versions[1]?.role).toBe(VersionRole.FALLBACK);
    expect(desired.behaviour?.guardrails).toMatchObject({
      lowConfidence: { action: GuardrailAction.FALLBACK_MODEL, below: 0.7 },
      outsideProfile: undefined,
      fallbackVersion: 1,
    });
  });
});
