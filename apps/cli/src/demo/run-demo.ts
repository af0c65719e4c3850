// `headrace demo`: the whole loop on real flights. It only gives the commands that a person would give; everything else
// happens because of events.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { installationFolders, pythonCommand } from '@headrace/embedded';
import { applyDefinitions, loadDefinitions, waitUntilReady } from '../commands/apply';
import { Clients, connect, explain, localDirectory } from '../connection';
import { SERVICES, startLocalSystem, telemetryOf, type LocalSystem } from '../local/system';
import { Children } from './children';
import { watchMemory } from './memory';
import { describe, Progress } from './report';
import { LoopObserver } from './loop-observer';
import { collectSummary, faultsOf, type DemoNames, type DemoSummary, type TopicCounts } from './summary';

export interface DemoOptions {
  readonly keep: boolean;
  readonly full: boolean;
  readonly chaos: boolean;
  readonly docker: boolean;
  readonly replaySeconds?: number;
}

const NAMES: DemoNames = {
  model: 'late-arrival',
  endpoint: 'late-arrival',
  monitor: 'late-arrival',
  label: { stream: 'flight-arrivals', expression: 'record.delay > 15.0' },
};
const PLAN = 'late-arrival';
const APPLICATION_GROUP = 'flights-application';
/** Records that the publisher may be ahead of the application: well within the features' retention. */
const LEAD = 3_000;
const REPLAY_SECONDS = 58;
/** Wall seconds that the past takes on two quiet cores, from its first record to the first version that serves. */
const QUIET_HISTORY_SECONDS = 28;
/** After the data has ended nothing new can happen; what is on its way gets this time. */
const VERDICTS_MS = 60_000;
/** Killed services take their time to come back: the data must last until the last verdict. */
const CHAOS_REPLAY_SECONDS = 120;
const FULL_REPLAY_SECONDS = 1_800;
const CONCURRENCY = 512;

/** Runs the demo. Exit code 0 only when every step really happened. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => interrupted.abort(new Error('interrupted')));
  }
  const progress = new Progress();
  const children = new Children();
  const directory = localDirectory('demo');
  let system: LocalSystem | undefined;
  try {
    // Every run begins empty: what it shows must come from this run.
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    const memory = watchMemory();
    const dataPrepared = prepareData(children, directory, options.full, progress);
    // Awaited below; a failure while the system starts is not lost.
    dataPrepared.catch(() => undefined);
    system = await startLocalSystem({
      directory,
      say: (line) => progress.say(line),
      docker: options.docker,
      kafkaBrokers: process.env['KAFKA_BROKERS'],
      databaseUrl: process.env['DATABASE_URL'],
      logLevel: process.env['LOG_LEVEL'],
      telemetry: telemetryOf(process.env),
      signal: interrupted.signal,
    });
    progress.say('Kafka, Postgres and the six services are ready');
    const data = await dataPrepared;
    const outcome = await Promise.race([
      playLoop({ system, data, directory, options, progress, children, memory }),
      aborted(interrupted.signal),
    ]);
    if (options.keep && outcome.faults.length === 0) await keepRunning(system, progress, interrupted.signal);
    return outcome.faults.length === 0 ? 0 : 1;
  } catch (error) {
    process.stderr.write(`\n${explain(error)}\n`);
    if (!interrupted.signal.aborted && error instanceof Error && process.env['LOG_LEVEL'] === 'debug')
      process.stderr.write(`${error.stack}\n`);
    return interrupted.signal.aborted ? 130 : 1;
  } finally {
    await children.stopAll();
    await system?.stop();
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const give = (): void => reject(signal.reason as Error);
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { once: true });
  });
}

interface Data {
  readonly folder: string;
  readonly replayStart: string;
}

async function prepareData(children: Children, directory: string, full: boolean, progress: Progress): Promise<Data> {
  const { repository } = installationFolders();
  const folder = join(repository, '.headrace', 'data', full ? 'flight-delays-full' : 'flight-delays');
  const meta = join(folder, 'meta.json');
  if ((await readFile(meta, 'utf8').catch(() => undefined)) === undefined) {
    progress.say('Preparing the flights (vega-datasets; Bureau of Transportation Statistics)');
    await children.run(
      'prepare',
      pythonCommand(),
      [
        join(repository, 'examples', 'flight-delays', 'prepare.py'),
        '--source',
        join(repository, 'node_modules', 'vega-datasets', 'data'),
        '--out',
        folder,
        ...(full ? ['--full'] : []),
      ],
      join(directory, 'logs', 'prepare.log'),
    );
  }
  const { replayStart } = JSON.parse(await readFile(meta, 'utf8')) as { replayStart: string };
  return { folder, replayStart };
}

interface Stage {
  readonly system: LocalSystem;
  readonly data: Data;
  readonly directory: string;
  readonly options: DemoOptions;
  readonly progress: Progress;
  readonly children: Children;
  readonly memory: { stop(): number };
}

async function playLoop(stage: Stage): Promise<{ summary: DemoSummary; faults: string[] }> {
  const { system, data, options, progress } = stage;
  const clients = new Clients(connect({}, system.addresses));
  try {
    const definitions = await loadDefinitions(join(installationFolders().repository, 'examples', 'flight-delays'));
    await applyDefinitions(clients, definitions, false);
    await waitUntilReady(clients, definitions, 30_000);
    progress.say(`${definitions.length} definitions applied`);

    const observer = new LoopObserver(clients, NAMES, progress);
    progress.say(`The publisher sends the flights up to ${data.replayStart.slice(0, 10)}`);
    const historyBegan = progress.seconds();
    await publish(stage, 'publish-history', ['--until', data.replayStart]);
    await observer.until('the initial version serves', (state) => state.serves(1));

    const least = options.full ? FULL_REPLAY_SECONDS : options.chaos ? CHAOS_REPLAY_SECONDS : REPLAY_SECONDS;
    const historySeconds = progress.seconds() - historyBegan;
    const seconds = options.replaySeconds ?? Math.ceil(least * slowness(historySeconds));
    progress.say(
      `The replay begins: the application asks at each departure; ${seconds} s of wall time for the rest of the data`,
    );
    progress.say('The publisher injects a change from 6 February: flights under 800 miles arrive 30 minutes later');
    const application = await startApplication(stage);
    const replay = publish(stage, 'publish-replay', [
      '--from', data.replayStart, '--seconds', String(seconds), '--behind', `${APPLICATION_GROUP}:${LEAD}`, '--shift', '1',
    ]); // prettier-ignore
    const chaos = options.chaos ? breakEverything(stage, seconds) : Promise.resolve();
    await Promise.race([
      steerLoop(clients, observer, progress),
      replayFailure(application.done),
      replay.then(verdictsMissing),
    ]);
    await Promise.all([replay, chaos]);
    progress.say('The replay is over; waiting until the last request is answered');
    const counts = await settledCounts(stage);
    await application.stop();
    const summary = await collectSummary({
      clients,
      addresses: system.addresses,
      names: NAMES,
      counts,
      commitDatasets: () => commitDatasets(clients),
      wallSeconds: progress.seconds(),
      peakRssMiB: stage.memory.stop(),
      restarts: SERVICES.reduce((sum, name) => sum + system.supervisor.restartsOf(name), 0),
    });
    summary.wallSeconds = progress.seconds();
    await writeFile(join(stage.directory, 'summary.json'), `${JSON.stringify(summary, null, 2)}\n`);
    process.stdout.write(describe(summary));
    const faults = faultsOf(summary, counts);
    for (const fault of faults) process.stdout.write(`  NOT AS IT SHOULD BE: ${fault}\n`);
    return { summary, faults };
  } finally {
    clients.close();
  }
}

/** The commands that a person gives during the replay: a drill with a version that is bad on purpose. */
async function steerLoop(clients: Clients, observer: LoopObserver, progress: Progress): Promise<void> {
  // Begun before the change comes: a machine with two cores then has one training at a time.
  progress.say('Drill: a version is trained on shuffled labels');
  await clients.call(clients.training.startTraining.bind(clients.training), {
    plan: PLAN,
    reason: 'drill: a bad candidate must be rolled back by itself',
    shuffleLabels: true,
  });
  const bad = await observer.until('the gates judge the bad version', (state) => state.judgedBad);
  await observer.until('the retrained version is promoted', (state) => state.promoted !== undefined);
  if (bad.refused) {
    progress.say(`Version ${bad.version} failed its gates; an approver waives them, with a reason, for the drill`);
    await clients.call(
      clients.registry.waiveGates.bind(clients.registry),
      {
        model: NAMES.model,
        version: bad.version,
        reason: 'drill: shows that a bad candidate is rolled back by itself',
      },
      { as: 'approver' },
    );
  } else {
    // Noise passes the gates about once in a hundred times: what the canary is for.
    progress.say(`Version ${bad.version} passed its gates by chance: no waiver is needed, its canary begins by itself`);
  }
  await observer.until('the bad version is rolled back', (state) => state.rolledBack !== undefined);
}

/** Two trainings must fit into the data, and on a busy machine they slow down more than the rest does. */
function slowness(historySeconds: number): number {
  return Math.max(1, (1.5 * historySeconds) / QUIET_HISTORY_SECONDS - 0.5);
}

async function publish(stage: Stage, name: string, range: readonly string[]): Promise<void> {
  const { repository } = installationFolders();
  await stage.children.run(
    name,
    process.execPath,
    [
      join(repository, 'examples', 'flight-delays', 'publisher.mjs'),
      '--brokers', stage.system.addresses.kafka,
      '--data', stage.data.folder,
      '--faults', '1',
      ...range,
    ],
    join(stage.directory, 'logs', `${name}.log`),
  ); // prettier-ignore
}

function startApplication(stage: Stage) {
  const { repository } = installationFolders();
  return stage.children.start(
    'application',
    process.execPath,
    [
      join(repository, 'examples', 'flight-delays', 'application.mjs'),
      '--brokers', stage.system.addresses.kafka,
      '--gateway', stage.system.addresses.services['inference-gateway'].grpc,
      '--proto', join(repository, 'proto'),
      '--endpoint', NAMES.endpoint,
      '--from', stage.data.replayStart,
      '--group', APPLICATION_GROUP,
      '--concurrency', String(CONCURRENCY),
    ],
    join(stage.directory, 'logs', 'application.log'),
  ); // prettier-ignore
}

/** The application only ends when something is wrong with it. */
async function replayFailure(done: Promise<string>): Promise<never> {
  await done;
  throw new Error('the application ended before the replay did');
}

/** The drill needs data to be judged by: without any more, waiting is in vain. */
async function verdictsMissing(): Promise<never> {
  await delay(VERDICTS_MS, undefined, { ref: false });
  throw new Error(
    `the data ended ${VERDICTS_MS / 1_000} s ago and the loop has not come to its end: this machine may be too busy; ` +
      'try again, or give it more time with --replay-seconds',
  );
}

/** Counts from the topics, once every departure has its outcome. */
async function settledCounts(stage: Stage): Promise<TopicCounts> {
  const { repository } = installationFolders();
  const deadline = Date.now() + 90_000;
  for (;;) {
    const output = await stage.children.run(
      'counts',
      process.execPath,
      [
        join(repository, 'examples', 'flight-delays', 'counts.mjs'),
        '--brokers',
        stage.system.addresses.kafka,
        '--from',
        stage.data.replayStart,
      ],
      join(stage.directory, 'logs', 'counts.log'),
    );
    const counts = JSON.parse(output.trim().split('\n').at(-1) ?? '{}') as TopicCounts;
    if (counts.asked >= counts.askable || Date.now() > deadline) return counts;
    await delay(500);
  }
}

/** Everything that was accepted becomes part of a dataset version, once the services have read all of it. */
async function commitDatasets(clients: Clients): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { streams } = await clients.call(clients.ingestion.getStreamCounts.bind(clients.ingestion), { stream: '' });
    if (streams.every((stream) => stream.lag === 0)) break;
    if (Date.now() > deadline) throw new Error('ingestion did not read its topics to the end within 60 s');
    await delay(200);
  }
  const commit = clients.ingestion.commitDatasetVersion.bind(clients.ingestion);
  await Promise.all(
    ['flight-departures', 'flight-arrivals'].map((stream) => clients.call(commit, { stream }, { timeoutMs: 60_000 })),
  );
}

/** SIGKILL for each service once, spread over the replay; the supervisor brings them back. */
async function breakEverything(stage: Stage, seconds: number): Promise<void> {
  for (const name of SERVICES) {
    await delay((seconds * 1_000) / (SERVICES.length + 2));
    stage.progress.say(`Chaos: SIGKILL for ${name}`);
    stage.system.supervisor.kill(name);
  }
}

async function keepRunning(system: LocalSystem, progress: Progress, signal: AbortSignal): Promise<void> {
  progress.say('Left running (--keep); Ctrl-C stops it');
  process.stdout.write(
    `  Kafka  ${system.addresses.kafka}\n  Postgres  ${system.addresses.database.replace(/:[^:@/]+@/, ':…@')}\n`,
  );
  for (const [name, address] of Object.entries(system.addresses.services)) {
    process.stdout.write(`  ${name.padEnd(17)} gRPC ${address.grpc}   metrics ${address.http}/metrics\n`);
  }
  await aborted(signal).catch(() => undefined);
}
