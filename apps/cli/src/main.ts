import { Command, Option } from 'commander';
import { formatTime } from '@headrace/event-time';
import { applyDefinitions, DefinitionFaults, describeApplied, loadDefinitions, waitUntilReady } from './commands/apply';
import { positiveNumber } from './commands/arguments';
import { addDlqCommands } from './commands/dlq';
import { addDriftCommand } from './commands/drift';
import { addLabelCommands } from './commands/label';
import { addLogCommands } from './commands/log-commands';
import { addMonitorCommand } from './commands/monitor';
import { printAddresses, printSchema } from './commands/reference';
import { printRejected } from './commands/rejected';
import { addReplayCommand } from './commands/replay';
import { addRolloutCommand } from './commands/rollout';
import { addScoreCommands } from './commands/score';
import { addStatusCommand } from './commands/status';
import { runUp } from './commands/up';
import { addWhyCommand } from './commands/why';
import { Clients, connect, explain } from './connection';
import { runDemo } from './demo/run-demo';
import { figure, printRows } from './output';

const program = new Command('headrace').description('MLOps on one event log').showHelpAfterError();

interface Json {
  readonly json?: true;
}

/** Runs a command against a running system; every failure is one sentence and exit code 1. */
async function withClients(work: (clients: Clients) => Promise<void>): Promise<void> {
  const clients = new Clients(connect(process.env));
  try {
    await work(clients);
  } finally {
    clients.close();
  }
}

program
  .command('up')
  .description('start Kafka, Postgres and the six services here, in the foreground; data stays under .headrace/')
  .option('--docker', 'Kafka and Postgres in containers', false)
  .action(async (options: { docker: boolean }) => {
    process.exitCode = await runUp(options);
  });

program
  .command('demo')
  .description('run the whole loop on real flights')
  .option('--keep', 'leave it running at the end', false)
  .option('--full', 'three million flights of six months', false)
  .option('--chaos', 'kill every service once on the way', false)
  .option('--docker', 'Kafka and Postgres in containers', false)
  .addOption(new Option('--replay-seconds <n>', 'wall seconds that the replayed part takes').argParser(positiveNumber))
  .action(
    async (options: { keep: boolean; full: boolean; chaos: boolean; docker: boolean; replaySeconds?: number }) => {
      process.exitCode = await runDemo(options);
    },
  );

program
  .command('addresses [name]')
  .description('where a running system listens: kafka, or a service; with a name, that address alone')
  .action((name: string | undefined) => printAddresses(connect(process.env), name));

program.command('schema <kind>').description('JSON Schema of a kind of definition, for editors').action(printSchema);

program
  .command('check')
  .description('validate definitions without a system')
  .requiredOption('-f, --file <path>', 'file or folder')
  .action(async (options: { file: string }) => {
    const definitions = await loadDefinitions(options.file);
    process.stdout.write(`${definitions.length} definitions are valid\n`);
  });

program
  .command('apply')
  .description('apply definitions; idempotent')
  .requiredOption('-f, --file <path>', 'file or folder')
  .option('--dry-run', 'show what would change', false)
  .option('--wait', 'until everything they refer to is known', false)
  .action((options: { file: string; dryRun: boolean; wait: boolean }) =>
    withClients(async (clients) => {
      const definitions = await loadDefinitions(options.file);
      for (const applied of await applyDefinitions(clients, definitions, options.dryRun))
        process.stdout.write(`${describeApplied(applied)}\n`);
      if (options.wait && !options.dryRun) await waitUntilReady(clients, definitions, 30_000);
    }),
  );

program
  .command('streams')
  .description('records accepted, rejected and recognised as repeats')
  .option('--json')
  .action((options: Json) =>
    withClients(async (clients) => {
      const { streams } = await clients.call(clients.ingestion.getStreamCounts.bind(clients.ingestion), { stream: '' });
      printRows(
        streams.map(({ stream, accepted, rejected, duplicates, lag }) => ({
          stream,
          accepted,
          rejected,
          duplicates,
          lag,
        })),
        options.json === true,
      );
    }),
  );

program
  .command('rejected <stream>')
  .description('the last records of a stream that were refused, and why')
  .option('--last <n>', 'how many', positiveNumber, 10)
  .action((stream: string, options: { last: number }) => printRejected(connect(process.env), stream, options.last));

program
  .command('datasets [stream]')
  .description('dataset versions')
  .option('--json')
  .action((stream: string | undefined, options: Json) =>
    withClients(async (clients) => {
      const { versions } = await clients.call(clients.ingestion.listDatasetVersions.bind(clients.ingestion), {
        stream: stream ?? '',
      });
      printRows(
        versions.map((version) => ({
          stream: version.dataset?.stream ?? '',
          version: version.dataset?.version ?? 0,
          rows: version.rows,
          until: formatTime(version.maxEventTimeMicros),
          manifest: version.dataset?.manifestDigest ?? '',
        })),
        options.json === true,
      );
    }),
  );

program
  .command('train <plan>')
  .description('start a training run now')
  .requiredOption('--reason <text>', 'why')
  .option('--shuffle-labels', 'make a bad version on purpose, for a drill', false)
  .action((plan: string, options: { reason: string; shuffleLabels: boolean }) =>
    withClients(async (clients) => {
      const { runId } = await clients.call(clients.training.startTraining.bind(clients.training), {
        plan,
        reason: options.reason,
        shuffleLabels: options.shuffleLabels,
      });
      process.stdout.write(`${runId}\n`);
    }),
  );

program
  .command('runs [plan]')
  .description('training runs')
  .option('--json')
  .action((plan: string | undefined, options: Json) =>
    withClients(async (clients) => {
      const { runs } = await clients.call(clients.training.listRuns.bind(clients.training), { plan: plan ?? '' });
      printRows(
        runs.map((run) => ({
          run: run.runId,
          plan: run.plan,
          trigger: run.trigger,
          state: run.state,
          requested: formatTime(run.requestedAtMicros),
          seconds: run.finishedAtMicros === 0 ? '' : ((run.finishedAtMicros - run.requestedAtMicros) / 1e6).toFixed(1),
          error: run.error,
        })),
        options.json === true,
      );
    }),
  );

program
  .command('versions <model>')
  .description('versions of a model with their metrics and gates')
  .option('--json')
  .action((model: string, options: Json) =>
    withClients(async (clients) => {
      const { versions } = await clients.call(clients.registry.listVersions.bind(clients.registry), { model });
      printRows(
        versions.map((version) => ({
          version: version.version,
          state: version.state,
          aliases: version.aliases.join(','),
          trigger: version.trigger,
          ...Object.fromEntries(Object.entries(version.metrics).map(([name, metric]) => [name, figure(metric.value)])),
          failed:
            version.gates
              .filter((gate) => !gate.passed)
              .map((gate) => (version.state === 'registered' ? `${gate.name} (waits)` : gate.name))
              .join(',') || '–',
        })),
        options.json === true,
      );
    }),
  );

program
  .command('waive')
  .description('let a version through the gates that it failed (role approver; audited)')
  .argument('<model>')
  .argument('<version>', 'its number', positiveNumber)
  .requiredOption('--reason <text>', 'why')
  .action((model: string, version: number, options: { reason: string }) =>
    withClients(async (clients) => {
      const { gates } = await clients.call(
        clients.registry.waiveGates.bind(clients.registry),
        { model, version, reason: options.reason },
        { as: 'approver' },
      );
      process.stdout.write(`waived: ${gates.join(', ')}\n`);
    }),
  );

program
  .command('endpoints')
  .description('what runs where')
  .option('--json')
  .action((options: Json) =>
    withClients(async (clients) => {
      const { endpoints } = await clients.call(clients.registry.listEndpoints.bind(clients.registry), {});
      printRows(
        endpoints.map((endpoint) => ({
          endpoint: endpoint.endpoint,
          model: endpoint.model,
          generation: endpoint.generation,
          versions: endpoint.versions.map((version) => `${version.version}:${version.weightPercent}%`).join(' '),
          rollout: endpoint.rollout
            ? `${endpoint.rollout.strategy || 'canary'} of version ${endpoint.rollout.candidateVersion}, step ${endpoint.rollout.step}${endpoint.rollout.paused ? ', paused' : ''}`
            : '–',
        })),
        options.json === true,
      );
    }),
  );

addRolloutCommand(program, withClients);

addScoreCommands(program, withClients);

addStatusCommand(program, withClients);

addDriftCommand(program, withClients);

addMonitorCommand(program, withClients);

const features = program.command('features').description('features');
features
  .command('check-skew <endpoint>')
  .description('compare features as served with the point-in-time join made afterwards')
  .action((endpoint: string) =>
    withClients(async (clients) => {
      const answer = await clients.call(
        clients.features.checkServingSkew.bind(clients.features),
        { endpoint },
        { timeoutMs: 600_000 },
      );
      process.stdout.write(
        `${answer.compared} predictions compared, ${answer.different} different, ${answer.skipped} not comparable\n`,
      );
      if (answer.different > 0) process.exitCode = 2;
    }),
  );

addLabelCommands(program);

addLogCommands(program, withClients);

addWhyCommand(program, withClients);

addDlqCommands(program);

addReplayCommand(program, withClients);

program
  .command('audit')
  .description('who did what; verifies the hash chain')
  .option('--json')
  .action((options: Json) =>
    withClients(async (clients) => {
      const answer = await clients.call(clients.registry.listAuditEntries.bind(clients.registry), {
        afterSequence: 0,
        limit: 1_000,
        subjects: [],
      });
      printRows(
        answer.entries.map((entry) => ({
          sequence: entry.sequence,
          at: formatTime(entry.atMicros),
          actor: entry.actor,
          action: entry.action,
          subject: entry.subject,
          detail: entry.detailJson,
        })),
        options.json === true,
      );
      if (!answer.chainIntact) throw new Error('the audit chain is broken: an entry was changed or removed');
    }),
  );

program.parseAsync().catch((error: unknown) => {
  const text = error instanceof DefinitionFaults ? error.message : explain(error);
  process.stderr.write(`${text}\n`);
  process.exitCode = 1;
});
