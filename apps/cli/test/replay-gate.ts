// Versions that have to prove themselves on past requests before they serve: on the running system of the second example,
// with what its real trainer makes. ADR 36.
import { join } from 'node:path';
import type { ModelVersion } from '@headrace/contracts/proto/registry/v1/registry_service';
import { installationFolders } from '@headrace/embedded';
import { eventually } from '@headrace/testing';
import { applyDefinitions, loadDefinitions, waitUntilReady } from '../src/commands/apply';
import type { Clients } from '../src/connection';
import type { WeatherStation } from './seattle-weather';

const NAME = 'tomorrow-maximum';
const GATE = 'proved_on_past_requests';
/**
 * Losses are squared degrees. The season goes on after a training of two months, which costs a sound version about 12 (the
 * low end says 21); one that learnt nothing is off by 10 °C.
 */
const MOST_WORSE = 40;
/** Days, each with one request: 16 blocks of five. */
const DAYS = 80;
const PATIENCE = { timeoutMs: 60_000, intervalMs: 100 };

/** After the other specs of the example; `world` is asked when they run. */
export function replayGateSpecs(world: () => { readonly clients: Clients; readonly station: WeatherStation }): void {
  const versions = async (): Promise<ModelVersion[]> => {
    const { registry } = world().clients;
    return (await world().clients.call(registry.listVersions.bind(registry), { model: NAME })).versions;
  };
  const gateOf = (version: ModelVersion | undefined) => version?.gates.find(({ name }) => name === GATE);
  const train = async (shuffleLabels: boolean): Promise<string> => {
    const { training } = world().clients;
    const request = { plan: NAME, reason: 'is it worth a rollout?', shuffleLabels };
    return (await world().clients.call(training.startTraining.bind(training), request)).runId;
  };
  /** Kinds of changes of the endpoint, with the version. */
  const changes = async () => {
    const { registry } = world().clients;
    const { history } = await world().clients.call(registry.getEndpoint.bind(registry), { endpoint: NAME });
    return history.map(({ change }) => [change?.change, change?.version] as const);
  };
  let sound: string;
  let shuffled: string;
  const ofRun = async (run: string) => (await versions()).find(({ runId }) => runId === run);

  it('holds versions back until there are requests that neither of them has learnt from', async () => {
    const { clients } = world();
    const definitions = await loadDefinitions(
      join(installationFolders().repository, 'examples', 'seattle-temperature'),
    );
    const changed = definitions.flatMap((definition) => {
      if (definition.kind !== 'Model') return [];
      const replay = { endpoint: NAME, since: '365d', minimumRows: 50, wait: '10m', whenInconclusive: 'fail' } as const;
      const gate = {
        name: GATE,
        metric: 'improvement',
        min: -MOST_WORSE,
        bound: 'low',
        passWhenAbsent: false,
      } as const;
      // Alone: the backtest must not be what refuses the version without knowledge.
      return [{ ...definition, spec: { ...definition.spec, gates: [{ ...gate, replay }] } }];
    });
    await applyDefinitions(clients, changed, false);
    await waitUntilReady(clients, changed, 30_000);
    sound = await train(false);
    shuffled = await train(true);
    for (const run of [sound, shuffled]) {
      await eventually(async () => {
        const version = await ofRun(run);
        expect(version?.state).toBe('registered');
        expect(gateOf(version)).toMatchObject({ passed: false, message: 'waits for labelled requests to replay' });
      }, PATIENCE);
      expect((await changes()).map(([, version]) => version)).not.toContain((await ofRun(run))?.version);
    }
  });

  it('lets the one serve that would have answered as well, and refuses the other with its reason', async () => {
    const { station } = world();
    await station.live(station.published + DAYS);
    for (const run of [sound, shuffled]) {
      await eventually(async () => expect((await ofRun(run))?.state).not.toBe('registered'), PATIENCE);
    }
    expect((await ofRun(sound))?.state).toBe('validated');
    expect((await ofRun(shuffled))?.state).toBe('refused');
    const passed = gateOf(await ofRun(sound));
    expect(passed).toMatchObject({ passed: true });
    expect(passed?.measured).toBeGreaterThanOrEqual(-MOST_WORSE);
    const refused = gateOf(await ofRun(shuffled));
    expect(refused?.passed).toBe(false);
    expect(refused?.measured).toBeLessThan(-MOST_WORSE);
    expect(refused?.message).toMatch(/^improvement -\d.*at least -40 is needed$/);
    const version = (await ofRun(sound))?.version;
    await eventually(async () => expect(await changes()).toContainEqual(['canary_started', version]), PATIENCE);
    expect((await changes()).map(([, changed]) => changed)).not.toContain((await ofRun(shuffled))?.version);
  });

  it('can tell that the replay is why', async () => {
    const { clients } = world();
    const { registry } = clients;
    const eventId = (await ofRun(sound))?.gateEventId ?? '';
    await eventually(async () => {
      const { chain } = await clients.call(registry.traceEvent.bind(registry), { eventId });
      expect(chain.map(({ type }) => type.split('.').at(-1)).slice(-5)).toEqual([
        'ModelTrained',
        'ModelVersionRegistered',
        'ReplayRequested',
        'ReplayCompleted',
        'GateEvaluated',
      ]);
    }, PATIENCE);
  });
}
