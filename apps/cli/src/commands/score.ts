// headrace score: a dataset version through one model version, as a job; headrace scores: what became of them.
import { copyFile, mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ArtifactStore } from '@headrace/artifacts';
import type { ScoringJob } from '@headrace/contracts/proto/features/v1/features_service';
import { formatTime } from '@headrace/event-time';
import { InvalidArgumentError, type Command } from 'commander';
import { connect, type Clients } from '../connection';
import { printRows } from '../output';

type WithClients = (work: (clients: Clients) => Promise<void>) => Promise<void>;

interface NumberedName {
  readonly name: string;
  /** 0: not given. */
  readonly number: number;
}

interface Options {
  readonly endpoint?: string;
  readonly model?: NumberedName;
  readonly dataset: NumberedName;
  readonly job?: string;
  readonly out?: string;
  readonly wait: boolean;
  readonly json?: true;
}

const POLL_MS = 500;
/** The job comes by the log: it may be a moment before the feature store has heard of it. */
const HEARD_WITHIN_MS = 30_000;

export function addScoreCommands(program: Command, withClients: WithClients): void {
  program
    .command('score')
    .description('score every row of a dataset version, off the path of requests; result: Parquet and a manifest')
    .requiredOption('--dataset <stream[@version]>', 'what is scored; without a version the newest', numbered)
    .option('--endpoint <name>', 'its champion of now scores')
    .option('--model <model@version>', 'a validated version scores', numbered)
    .option('--job <id>', 'makes asking again harmless: the same id begins nothing new')
    .option('--out <folder>', 'copy manifest and files there when done')
    .option('--no-wait', 'only begin; look with "headrace scores"')
    .option('--json', 'the job at the end')
    .action((options: Options) => withClients((clients) => score(clients, options)));

  program
    .command('scores [job]')
    .description('jobs that score dataset versions, and how far they are')
    .option('--json')
    .action((job: string | undefined, options: { readonly json?: true }) =>
      withClients(async (clients) => {
        const { jobs } = await clients.call(clients.features.listScoringJobs.bind(clients.features), {
          jobId: job ?? '',
        });
        if (job !== undefined && jobs.length === 0) throw new Error(`there is no scoring job "${job}"`);
        printRows(jobs.map(describeJob), options.json === true);
      }),
    );
}

async function score(clients: Clients, options: Options): Promise<void> {
  const { endpoint = '', model, dataset } = options;
  if ((endpoint === '') === (model === undefined))
    throw new Error('expected either --endpoint or --model <model@version>');
  if (model?.number === 0) throw new Error(`--model ${model.name}: expected model@version, such as ${model.name}@3`);
  await requireDataset(clients, dataset);
  const { jobId, known, ...chosen } = await clients.call(clients.registry.startScoring.bind(clients.registry), {
    jobId: options.job ?? '',
    endpoint,
    model: model?.name ?? '',
    version: model?.number ?? 0,
    stream: dataset.name,
    datasetVersion: dataset.number,
  });
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  say(`${known ? 'known' : 'asked'}: job ${jobId}, ${chosen.model} version ${chosen.version}`);
  if (!options.wait) {
    process.stdout.write(`${jobId}\n`);
    return;
  }
  const job = await waitFor(clients, jobId, say);
  if (job.state === 'failed') throw new Error(`job ${jobId} failed: ${job.message} (${job.code})`);
  printRows([describeJob(job)], options.json === true);
  if (options.out !== undefined) await copyOut(job, options.out, say);
}

/** A wrong version is said at once: the job would wait for it. */
async function requireDataset(clients: Clients, { name, number }: NumberedName): Promise<void> {
  const list = clients.ingestion.listDatasetVersions.bind(clients.ingestion);
  const { versions } = await clients.call(list, { stream: name });
  const numbers = versions.map(({ dataset }) => dataset?.version ?? 0);
  if (numbers.length === 0) throw new Error(`--dataset: stream "${name}" has no dataset version (headrace datasets)`);
  if (number === 0 || numbers.includes(number)) return;
  throw new Error(`--dataset ${name}@${number}: there are versions ${Math.min(...numbers)} to ${Math.max(...numbers)}`);
}

async function waitFor(clients: Clients, jobId: string, say: (line: string) => void): Promise<ScoringJob> {
  const asked = Date.now();
  let said = '';
  for (;;) {
    const { jobs } = await clients.call(clients.features.listScoringJobs.bind(clients.features), { jobId });
    const [job] = jobs;
    if (job?.state === 'done' || job?.state === 'failed') return job;
    if (!job && Date.now() - asked > HEARD_WITHIN_MS) {
      throw new Error(`the feature store has not heard of job ${jobId} yet; it goes on: headrace scores ${jobId}`);
    }
    const now = job ? `${job.state} ${progressOf(job)} ${job.message}`.trim() : '';
    if (now !== said) say(now);
    said = now;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function progressOf({ rows, rowsScored }: ScoringJob): string {
  return rows === 0 ? '' : `${rowsScored} of ${rows} rows`;
}

function describeJob(job: ScoringJob): Record<string, string | number> {
  return {
    job: job.jobId,
    version: `${job.model}@${job.version}`,
    dataset: `${job.stream}@${job.datasetVersion === 0 ? 'newest' : job.datasetVersion}`,
    state: job.state,
    rows: job.rows,
    scored: job.rowsScored,
    beyond: job.rowsBeyondSources,
    by: job.requestedBy,
    asked: formatTime(job.requestedAtMicros),
    seconds: job.finishedAtMicros === 0 ? '' : ((job.finishedAtMicros - job.requestedAtMicros) / 1e6).toFixed(1),
    manifest: job.manifest?.digest ?? '',
    message: job.message,
  };
}

/** manifest.json and part-00000.parquet, … : what the artifact store holds, under names. */
async function copyOut(job: ScoringJob, folder: string, say: (line: string) => void): Promise<void> {
  const root = connect(process.env).artifacts();
  if (!(await stat(root).catch(() => undefined))?.isDirectory())
    throw new Error(`HEADRACE_ARTIFACTS: ${root} is no folder`);
  const store = new ArtifactStore(root);
  const manifest = await store.read(job.manifest?.digest ?? '');
  const { files } = JSON.parse(manifest.toString('utf8')) as { readonly files: readonly { readonly digest: string }[] };
  await mkdir(folder, { recursive: true });
  for (const [index, { digest }] of files.entries()) {
    await copyFile(await store.pathOf(digest), join(folder, `part-${String(index).padStart(5, '0')}.parquet`));
  }
  await writeFile(join(folder, 'manifest.json'), manifest);
  say(`${files.length} files and manifest.json are in ${folder}`);
}

/** "name" or "name@3". */
function numbered(text: string): NumberedName {
  const [, name, number] = /^([^@\s]+)(?:@([1-9]\d{0,8}))?$/.exec(text) ?? [];
  if (name === undefined) throw new InvalidArgumentError('expected a name, or name@version.');
  return { name, number: number === undefined ? 0 : Number(number) };
}
