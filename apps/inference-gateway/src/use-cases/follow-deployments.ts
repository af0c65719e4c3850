// Makes what is served equal to what is wanted, one endpoint after its newest generation: load and warm first, then
// switch, then let go of what served before once its last request is answered.
import type { DeploymentActivated, ModelLoadFailed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { Cause } from '@headrace/messaging';
import type { Deployment, WantedVersion } from '../domain/deployment';
import type { FeatureRanges } from '../domain/guardrails';
import { planInputs } from '../domain/input-plan';
import type { Profiles } from '../models/profiles';
import type { AcquireOutcome, LoadedVersion } from '../models/version-pool';
import { ActiveDeployment, type ServedVersion } from '../serving/active-deployment';
import type { Refusal, ServingTable } from '../serving/serving-table';

export interface DeploymentReports {
  activated(report: Omit<DeploymentActivated, 'gateway'>, cause: Cause): void;
  loadFailed(report: Omit<ModelLoadFailed, 'gateway'>, cause: Cause): void;
}

/** What is to be served when this process starts again. */
export interface KeptDeployments {
  keep(deployment: Deployment): void;
}

export interface Versions {
  acquire(model: string, wanted: WantedVersion): Promise<AcquireOutcome>;
  release(version: LoadedVersion): void;
}

interface Work {
  newest: Deployment;
  /** Of before this process started: whatever the log says is newer. */
  resumed: boolean;
  readMicros: number;
  running: Promise<void> | undefined;
  retry: NodeJS.Timeout | undefined;
  attempts: number;
  /** Each ends a look at a version that is served. */
  watches: readonly (() => void)[];
}

type Refused = Extract<AcquireOutcome, { kind: 'refused' }> & { readonly version: number };

const FIRST_BACKOFF_MS = 250;
const LONGEST_BACKOFF_MS = 30_000;
/** About 16 s. */
const PATIENT_ATTEMPTS = 7;

export class FollowDeployments {
  private readonly work = new Map<string, Work>();
  private stopped = false;

  constructor(
    private readonly versions: Versions,
    private readonly table: ServingTable,
    private readonly reports: DeploymentReports,
    private readonly kept: KeptDeployments,
    private readonly nowMicros: () => number,
    private readonly profiles: Pick<Profiles, 'rangesOf'>,
  ) {}

  /** An older generation than the newest one seen, or the same again, changes nothing. */
  follow(deployment: Deployment): void {
    const known = this.work.get(deployment.endpoint);
    if (known?.resumed && known.newest.cause.eventId === deployment.cause.eventId) {
      known.resumed = false;
      return;
    }
    // The log may be another one than before, with lower generations.
    if (known && !known.resumed && deployment.generation <= known.newest.generation) return;
    this.begin(deployment, false);
  }

  /** Serves what was served before this process started, until the log says more. */
  resume(deployment: Deployment): void {
    if (!this.work.has(deployment.endpoint)) this.begin(deployment, true);
  }

  private begin(deployment: Deployment, resumed: boolean): void {
    const known = this.work.get(deployment.endpoint);
    clearTimeout(known?.retry);
    if (known) known.retry = undefined;
    const work: Work = known ?? {
      newest: deployment,
      resumed,
      readMicros: 0,
      running: undefined,
      retry: undefined,
      attempts: 0,
      watches: [],
    };
    Object.assign(work, { newest: deployment, resumed, readMicros: this.nowMicros(), attempts: 0 });
    this.work.set(deployment.endpoint, work);
    this.table.want(deployment);
    void this.run(work);
  }

  /** Tries at once what would be tried again later; resolves when nothing is being loaded for the endpoint any more. */
  async tryNow(endpoint: string): Promise<void> {
    const work = this.work.get(endpoint);
    if (!work) return;
    const waits = work.retry !== undefined;
    clearTimeout(work.retry);
    work.retry = undefined;
    await (waits ? this.run(work) : work.running);
  }

  /** A deployment that nobody could follow: said like a version that does not load. */
  reject(
    changed: { endpoint: string; generation: number },
    fault: { code: string; message: string },
    cause: Cause,
  ): void {
    const { endpoint, generation } = changed;
    this.reports.loadFailed({ endpoint, generation, version: 0, code: fault.code, message: fault.message }, cause);
  }

  stop(): void {
    this.stopped = true;
    for (const { retry } of this.work.values()) clearTimeout(retry);
  }

  private run(work: Work): Promise<void> {
    work.running ??= this.activateNewest(work);
    return work.running;
  }

  private async activateNewest(work: Work): Promise<void> {
    let tried: Deployment | undefined;
    // A generation that came while one was being loaded is next; those between are skipped.
    while (tried !== work.newest && !this.stopped) {
      tried = work.newest;
      await this.activate(tried, work);
    }
    work.running = undefined;
  }

  private async activate(deployment: Deployment, work: Work): Promise<void> {
    const outcomes = await Promise.all(
      deployment.versions.map(async (version) => ({
        version,
        outcome: await this.acquire(deployment, version),
      })),
    );
    const served: ServedVersion[] = [];
    const refused: Refused[] = [];
    for (const { version, outcome } of outcomes) {
      if (outcome.kind === 'refused') {
        refused.push({ ...outcome, version: version.number });
        continue;
      }
      const reading = serve(version, outcome, served);
      if (reading.kind === 'served') served.push(reading.served);
      else {
        this.versions.release(outcome.version);
        refused.push(reading);
      }
    }
    if (work.newest !== deployment) {
      for (const { loaded } of served) this.versions.release(loaded);
      return;
    }
    const [champion, ...others] = served;
    const complete = refused.length === 0;
    // Better the champion alone than nothing, when there is nothing to go on with.
    const startable = champion?.role === 'champion' && (complete || this.table.find(deployment.endpoint) === undefined);
    if (startable && champion) {
      const alone: ServedVersion = others.length === 0 ? { ...champion, weight: 100 } : champion;
      this.switchTo(new ActiveDeployment(deployment, [alone, ...others]), work);
    } else {
      for (const { loaded } of served) this.versions.release(loaded);
    }
    this.report(deployment, refused, work);
  }

  /** Loads a version and what the guardrails must know of it. */
  private async acquire(deployment: Deployment, version: WantedVersion): Promise<Acquired> {
    const acquired = await this.versions.acquire(deployment.model, version);
    if (acquired.kind === 'refused') return acquired;
    if (!deployment.guardrails?.outsideProfile) return { ...acquired, ranges: [] };
    const known = await this.profiles.rangesOf(version);
    if (known.kind === 'ranges') return { ...acquired, ranges: known.ranges };
    this.versions.release(acquired.version);
    return known;
  }

  private switchTo(active: ActiveDeployment, work: Work): void {
    const { deployment, versions } = active;
    const before = this.table.activate(active);
    for (const unwatch of work.watches) unwatch();
    before?.retire(() => {
      for (const { loaded } of before.versions) this.versions.release(loaded);
    });
    work.watches = versions.map((version) => this.watch(deployment, version));
    this.kept.keep(deployment);
    this.reports.activated(
      {
        endpoint: deployment.endpoint,
        generation: deployment.generation,
        versions: versions.map(({ number }) => number),
        loadMicros: this.nowMicros() - work.readMicros,
      },
      deployment.cause,
    );
  }

  /** A candidate whose process dies is reported like one that does not load: the registry rolls it back. */
  private watch({ endpoint, generation, cause }: Deployment, { number, role, loaded }: ServedVersion): () => void {
    let told = role === 'champion';
    return loaded.model.watch(({ code, message }) => {
      if (told) return;
      told = true;
      this.reports.loadFailed({ endpoint, generation, version: number, code: `candidate_${code}`, message }, cause);
    });
  }

  private report(deployment: Deployment, refused: readonly Refused[], work: Work): void {
    work.attempts += 1;
    for (const refusal of refused) {
      // Said once a generation. What may pass (an artifact still on its way) is not said before it has lasted.
      if (work.attempts === (refusal.retriable ? PATIENT_ATTEMPTS : 1)) this.refuse(deployment, refusal);
    }
    if (!refused.some(({ retriable }) => retriable) || this.stopped) return;
    const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (work.attempts - 1), LONGEST_BACKOFF_MS);
    work.retry = setTimeout(() => {
      work.retry = undefined;
      void this.run(work);
    }, backoffMs);
  }

  private refuse({ endpoint, generation, cause }: Deployment, { version, code, message }: Refusal): void {
    this.table.refuse(endpoint, { version, code, message });
    this.reports.loadFailed({ endpoint, generation, version, code, message }, cause);
  }
}

type Acquired =
  | (Extract<AcquireOutcome, { kind: 'acquired' }> & { readonly ranges: FeatureRanges })
  | Extract<AcquireOutcome, { kind: 'refused' }>;

type Serving = { readonly kind: 'served'; readonly served: ServedVersion } | Refused;

function serve(
  version: WantedVersion,
  { version: loaded, ranges }: Extract<Acquired, { kind: 'acquired' }>,
  others: readonly ServedVersion[],
): Serving {
  try {
    const own = planInputs(version.signature.features);
    const same = others.find(({ inputs }) => JSON.stringify(inputs) === JSON.stringify(own));
    const { number, role, weight } = version;
    return {
      kind: 'served',
      served: { number, role, weight, task: version.signature.task, inputs: same?.inputs ?? own, loaded, ranges },
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'refused', version: version.number, code: 'bad_signature', message, retriable: false };
  }
}
