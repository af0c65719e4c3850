// The second example, of another kind: a regression with one entity and one record a day. Nothing of it is known to any
// service but its definitions.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { parseDuration } from '@headrace/event-time';
import { installationFolders, pythonCommand } from '@headrace/embedded';
import { eventually, startOtlpCollector, type ExportedSpan, type OtlpCollector } from '@headrace/testing';
import { applyDefinitions, loadDefinitions, waitUntilReady } from '../src/commands/apply';
import { compare } from '../src/commands/drift';
import { explainWhy } from '../src/commands/why';
import type { Clients } from '../src/connection';
import type { Why } from '../src/why/why';
import { exemplarSpec } from './exemplars';
import { replayGateSpecs } from './replay-gate';
import {
  meanAbsoluteError,
  microsOf,
  prepareSeattleWeather,
  upstreamTrace,
  WeatherStation,
  type SeattleWeather,
} from './seattle-weather';
import { WholeSystem } from './whole-system';

const NAME = 'tomorrow-maximum';
const STREAMS = ['weather-days', 'weather-outcomes'];
const WINDOW = parseDuration('28d');
const QUIET_WINDOWS = 6;
/** The Python trainer takes seconds to start on a machine that is busy with other specs. */
const PATIENCE = { timeoutMs: 60_000, intervalMs: 100 };
jest.setTimeout(240_000);

const python = findPython();
if (python === undefined) {
  process.stderr.write('Skipped: the Seattle example needs the Python environment; run `node tools/install.mjs`\n');
}

/** An event's span has the beginning of the SHA-256 of its id. */
function spanOfEvent(spans: readonly ExportedSpan[], eventId: string): ExportedSpan | undefined {
  const spanId = createHash('sha256').update(eventId).digest('hex').slice(0, 16);
  return spans.find((span) => span.spanId === spanId);
}

function findPython(): string | undefined {
  try {
    const command = pythonCommand();
    const probe = 'import onnxruntime, pandas, pyarrow, skl2onnx';
    return spawnSync(command, ['-c', probe], { stdio: 'ignore' }).status === 0 ? command : undefined;
  } catch {
    return undefined; // it was never installed
  }
}

(python === undefined ? describe.skip : describe)("tomorrow's maximum temperature in Seattle", () => {
  let system: WholeSystem;
  let clients: Clients;
  let collector: OtlpCollector;
  let weather: SeattleWeather;
  let station: WeatherStation;
  let upstreamTraces: { traceId: string; spanId: string }[];
  /** The first window of labels that the first version answers for as a whole. */
  let firstWindow: number;

  /** Number of days whose end lies before a moment, and one: its outcome lets the moment pass. */
  const dayAfter = (micros: number): number => weather.days.findIndex((day) => microsOf(day.observed) > micros) + 2;
  const endpoint = () => clients.call(clients.registry.getEndpoint.bind(clients.registry), { endpoint: NAME });
  const monitor = () =>
    clients.call(clients.monitoring.getMonitor.bind(clients.monitoring), { monitor: NAME, lastWindows: 100 });
  const versions = async () =>
    (await clients.call(clients.registry.listVersions.bind(clients.registry), { model: NAME })).versions;
  const changes = async () => (await endpoint()).history.map((entry) => entry.change?.change);
  /** Types of the events that followed from what made the endpoint change. */
  const consequences = async (change: string): Promise<string[]> => {
    const entry = (await endpoint()).history.find((one) => one.change?.change === change);
    const trace = (eventId: string) => clients.call(clients.registry.traceEvent.bind(clients.registry), { eventId });
    const { chain } = await trace(entry?.eventId ?? '');
    const { effects } = await trace(chain.at(-2)?.id ?? '');
    return effects.map((effect) => effect.type.split('.').at(-1) ?? '');
  };
  /** What `headrace why` prints. */
  const whyOf = async (id: string, json: boolean): Promise<string> => {
    let text = '';
    const output = jest.spyOn(process.stdout, 'write').mockImplementation((part) => {
      text += String(part);
      return true;
    });
    try {
      await explainWhy(system.connection, clients, id, { json, window: 10_000 });
    } finally {
      output.mockRestore();
    }
    return text;
  };
  const decisions = async () => (await monitor()).decisions.map((decision) => decision.type.split('.').at(-1));

  beforeAll(async () => {
    collector = await startOtlpCollector();
    // Every record is a trace here, and none may be lost.
    system = await WholeSystem.start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_BSP_MAX_QUEUE_SIZE: '100000',
      OTEL_BSP_SCHEDULE_DELAY: '500',
    });
    clients = system.clients;
    weather = await prepareSeattleWeather(python ?? '', join(system.directory, 'data'));
    const example = join(installationFolders().repository, 'examples', 'seattle-temperature');
    const definitions = await loadDefinitions(example);
    await applyDefinitions(clients, definitions, false);
    await waitUntilReady(clients, definitions, 30_000);
    upstreamTraces = weather.days.flatMap(({ day }) => [upstreamTrace(`day-${day}`), upstreamTrace(`outcome-${day}`)]);
    station = await WeatherStation.open(weather, system.kafka, clients, NAME);
    const firstLive = weather.days[weather.daysBeforeReplay];
    firstWindow = Math.ceil(microsOf(firstLive?.observed ?? '') / WINDOW) * WINDOW;
  });

  afterAll(async () => {
    await station?.close();
    await system?.stop();
    await collector?.close();
  });

  it('becomes a first version that passes its gates, with its lineage, and serves', async () => {
    await station.publishHistory(weather.daysBeforeReplay);
    await eventually(async () => expect(await changes()).toEqual(['deployed']), PATIENCE);
    const [first] = await versions();
    expect(first).toMatchObject({ version: 1, state: 'validated', plan: NAME, trigger: 'data-volume' });
    expect(first?.gates).toMatchObject([
      { name: 'close_enough', passed: true },
      { name: 'same_in_onnx', passed: true },
    ]);
    expect(first?.metrics['mae']?.value).toBeLessThan(3);
    expect(first?.datasets.map((dataset) => dataset.stream).sort()).toEqual(STREAMS);
    expect(first?.modelArtifact?.digest).toMatch(/^sha256:/);
  });

  it('answers at the end of each later day, less than 3 °C off on average', async () => {
    await station.live(dayAfter(firstWindow + QUIET_WINDOWS * WINDOW));
    const { answered } = station;
    expect(answered).toHaveLength(station.published - weather.daysBeforeReplay);
    expect(answered.filter(({ answer }) => answer.fallback || answer.version !== 1)).toEqual([]);
    expect(meanAbsoluteError(answered)).toBeLessThan(3);
  });

  it('joins each outcome to its prediction and leaves a model alone that does well', async () => {
    await eventually(async () => {
      const { predictions, labelsJoined, windows } = await monitor();
      expect({ predictions, labelsJoined }).toEqual({
        predictions: station.answered.length,
        labelsJoined: station.answered.length - 1,
      });
      const judged = windows.filter(({ kind }) => kind === 'performance');
      expect(judged).toHaveLength(QUIET_WINDOWS);
      expect(judged.at(-1)?.endMicros).toBe(firstWindow + QUIET_WINDOWS * WINDOW);
    }, PATIENCE);
    expect(await decisions()).toEqual([]);
  });

  it('is trained again when the station begins to report 8 °C more', async () => {
    const fromMicros = firstWindow + (QUIET_WINDOWS + 1) * WINDOW;
    station.shift = { fromMicros, degrees: 8 };
    await station.live(dayAfter(fromMicros + 2 * WINDOW));
    await eventually(
      async () => expect(await decisions()).toEqual(['PerformanceDegraded', 'RetrainingRequested']),
      PATIENCE,
    );
    await eventually(async () => expect(await changes()).toEqual(['deployed', 'canary_started']), PATIENCE);
    // The gateway serves it: the days to come are answered by both.
    await eventually(
      async () => expect(await consequences('canary_started')).toContain('DeploymentActivated'),
      PATIENCE,
    );
    expect((await versions()).find(({ version }) => version === 2)).toMatchObject({
      state: 'validated',
      trigger: 'performance',
    });
  });

  it('gets the version that learnt the change, once both were compared on later days', async () => {
    const before = station.answered.length;
    await station.live(station.published + 90);
    await eventually(async () => expect(await changes()).toEqual(['deployed', 'canary_started', 'promoted']), PATIENCE);
    const during = station.answered.slice(before);
    const off = (version: number) => meanAbsoluteError(during.filter(({ answer }) => answer.version === version));
    expect(off(2)).toBeLessThan(off(1) / 2);
    await eventually(async () => {
      await station.live(station.published + 1);
      expect(station.answered.at(-1)?.answer.version).toBe(2);
    }, PATIENCE);
    expect(station.answered.filter(({ answer }) => answer.fallback)).toEqual([]);
  });

  it('can tell what led from the first data to the promotion', async () => {
    const promotion = (await endpoint()).history.find((entry) => entry.change?.change === 'promoted');
    const { registry } = clients;
    const { chain } = await clients.call(registry.traceEvent.bind(registry), { eventId: promotion?.eventId ?? '' });
    const types = chain.map((event) => event.type.split('.').at(-1));
    const steps = ['DataArrived', 'DatasetVersionCommitted', 'TrainingRequested', 'ModelTrained'];
    const again = ['PerformanceDegraded', 'RetrainingRequested', 'ModelTrained', 'RolloutAnalysisCompleted'];
    expect(types).toEqual(expect.arrayContaining([...steps, ...again]));
    expect(types[0]).toBe('DataArrived');
    expect(types.filter((type) => type === 'ModelTrained')).toHaveLength(2);
  });

  it('is one trace through the services, from the record of the station to what serves', async () => {
    const first = (await endpoint()).history.find((entry) => entry.change?.change === 'deployed');
    const { registry } = clients;
    const { chain } = await clients.call(registry.traceEvent.bind(registry), { eventId: first?.eventId ?? '' });
    const traceOf = (id: string): string | undefined => spanOfEvent(collector.spans, id)?.traceId;
    await eventually(() => {
      const traces = chain.map(({ id }) => traceOf(id));
      // All events from the data to the deployment, in the trace that the station began.
      expect(new Set(traces)).toEqual(new Set([traces[0]]));
      const spans = collector.spans.filter(({ traceId }) => traceId === traces[0]);
      const created = spans.filter(({ name }) => name.startsWith('create ')).map(({ name }) => name.slice(7));
      expect(created).toEqual(
        expect.arrayContaining([
          'DataArrived',
          'DatasetVersionCommitted',
          'TrainingRequested',
          'FeaturesMaterialized',
          'ModelTrained',
          'ModelVersionRegistered',
          'DeploymentChanged',
          'DeploymentActivated',
        ]),
      );
      const services = ['feature-store', 'inference-gateway', 'ingestion', 'monitoring', 'registry', 'training'];
      expect([...new Set(spans.map(({ resource }) => resource['service.name']))].sort()).toEqual(services);
      // One tree: the only parent that is not in it is the station's.
      const ids = new Set(spans.map(({ spanId }) => spanId));
      const outside = spans.filter(({ parentSpanId }) => !ids.has(parentSpanId));
      expect(outside.map(({ name }) => name)).toEqual(['create DataArrived']);
      expect(upstreamTraces).toContainEqual({ traceId: traces[0], spanId: outside[0]?.parentSpanId });
    }, PATIENCE);
  });

  exemplarSpec(() => ({ system, collector, station }));

  it('can tell of one answer what it rests on, down to the data', async () => {
    // The outcome of the last day is not known yet.
    const today = weather.days[station.published - 1]?.day;
    const labelled = station.answered.findLast(({ answer, day }) => answer.version === 2 && day !== today);
    const { predictionId = '', output = NaN } = labelled?.answer ?? {};
    const why = await eventually(async () => {
      const found = JSON.parse(await whyOf(predictionId, true)) as Why;
      expect(found.labels).toHaveLength(1);
      return found;
    }, PATIENCE);
    expect(why.prediction).toMatchObject({ endpoint: NAME, version: 2, output, entities: { station: 'seattle' } });
    expect(why.labels[0]).toMatchObject({ stream: 'weather-outcomes', label: labelled?.outcome });
    expect(why.labels[0]?.error).toBeCloseTo(output - (labelled?.outcome ?? NaN), 9);
    const { asOf } = why.prediction;
    expect(why.features.map(({ name, source, status, knownAsOf }) => ({ name, source, status, knownAsOf }))).toEqual([
      ...['temp_max', 'temp_min', 'wind', 'precipitation'].map((name) => {
        return { name, source: `request.${name}`, status: 'present', knownAsOf: asOf };
      }),
      ...['mean_max_3d', 'mean_max_7d', 'rain_3d'].map((name) => {
        return { name, source: `recent-weather:${name} of station`, status: 'present', knownAsOf: asOf };
      }),
    ]);
    const second = (await versions()).find(({ version }) => version === 2);
    expect(why.version).toMatchObject({ state: 'validated', modelDigest: second?.modelArtifact?.digest });
    expect(why.version?.gates.map(({ name, passed, waived }) => ({ name, passed, waived }))).toEqual([
      { name: 'close_enough', passed: true, waived: null },
      { name: 'same_in_onnx', passed: true, waived: null },
    ]);
    expect(why.training).toMatchObject({ run: second?.runId, plan: NAME, trigger: 'performance' });
    expect(why.training?.reason).not.toBe('');
    expect(why.training?.rows).toBeGreaterThan(0);
    expect(why.datasets.map(({ stream }) => stream).sort()).toEqual(STREAMS);
    for (const { rows, from, until } of why.datasets) {
      expect(rows).toBeGreaterThan(800);
      expect((from ?? '') < (until ?? '')).toBe(true);
      // The version learnt from nothing that came after the answer.
      expect((until ?? '') < asOf).toBe(true);
    }
    const change = labelled?.answer.assignment === 'canary' ? 'canary_started' : 'promoted';
    expect(why.serving).toMatchObject({ change, version: 2, previousVersion: 1, by: 'policy' });
    expect(why.approvals.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['definition.applied', 'endpoint.canary_started']),
    );
    expect(why.auditChainIntact).toBe(true);
    const made = why.events.made.map(({ type }) => type);
    expect(made[0]).toBe('DataArrived');
    expect(made.slice(-3)).toEqual(['ModelTrained', 'ModelVersionRegistered', 'GateEvaluated']);
    expect(made).toContain('RetrainingRequested');
    expect(why.events.served.map(({ type }) => type)[0]).toBe('ModelVersionValidated');
    expect(why.events.served.at(-1)).toMatchObject({ type: 'EndpointChanged', id: why.serving?.event });
    expect(why.notKnown).toEqual([]);
  });

  it('tells it to people too, of an older version as it was then, and of any event', async () => {
    const first = station.answered.find(({ answer }) => answer.version === 1)?.answer;
    const text = await whyOf(first?.predictionId ?? '', false);
    expect(text).toContain(`by version 1 of ${NAME} (champion)`);
    expect(text).toContain('trigger data-volume');
    expect(text).toContain('deployed at');
    expect(text).not.toContain('promoted');
    for (const stream of STREAMS) expect(text).toMatch(new RegExp(`${stream}@\\d`));
    const promotion = (await endpoint()).history.find((entry) => entry.change?.change === 'promoted');
    expect(await whyOf(promotion?.eventId ?? '', false)).toMatch(/^DataArrived .*EndpointChanged .*◄/s);
    await expect(whyOf('nobody', false)).rejects.toThrow('event "nobody" is neither in the registry');
  });

  it('was served the features that the join computes afterwards', async () => {
    for (const stream of STREAMS) {
      const { ingestion } = clients;
      await clients.call(ingestion.commitDatasetVersion.bind(ingestion), { stream }, { timeoutMs: 30_000 });
    }
    const { features } = clients;
    const skew = await clients.call(
      features.checkServingSkew.bind(features),
      { endpoint: NAME },
      { timeoutMs: 30_000 },
    );
    expect(skew).toEqual({ compared: station.answered.length, different: 0, skipped: 0, examples: [] });
  });

  it('can compare what later dataset versions added with the first: the change of the station shows', async () => {
    const { ingestion } = clients;
    const list = ingestion.listDatasetVersions.bind(ingestion);
    const { versions: all } = await clients.call(list, { stream: 'weather-outcomes' });
    const [first, last] = [all[0], all.at(-1)];
    const sides = { reference: 'weather-outcomes@1', current: 'weather-outcomes' };
    const options = { ...sides, exclude: [], categorical: [], rules: 'headrace', share: 0.5 } as const;
    const report = await compare(system.connection, (work) => work(clients), options);
    expect(report.reference).toEqual({ source: 'weather-outcomes@1', rows: first?.rows });
    expect(report.current).toEqual({
      source: `what weather-outcomes@${last?.dataset?.version} added to weather-outcomes@1`,
      rows: (last?.rows ?? 0) - (first?.rows ?? 0),
    });
    expect(report.columns.map(({ column, drifted }) => ({ column, drifted }))).toEqual([
      { column: 'next_temp_max', drifted: true },
      { column: 'station', drifted: false },
    ]);
    expect(report.leftOut).toEqual(['day', 'observed']);
    const twice = { ...options, current: 'weather-outcomes@1' };
    await expect(compare(system.connection, (work) => work(clients), twice)).rejects.toThrow('on both sides');
    const none = { ...options, current: 'weather-outcomes@99' };
    await expect(compare(system.connection, (work) => work(clients), none)).rejects.toThrow('no such dataset version');
  });

  describe('whose versions have to prove themselves on past requests', () => {
    replayGateSpecs(() => ({ clients, station }));
  });
});
