// A gateway's answers without a gateway: versions, features and observers that a spec steers.
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { DeploymentChanged } from '@headrace/contracts/proto/registry/v1/registry_events';
import { PersonalData } from '../src/domain/prediction-log';
import type { FeatureRanges } from '../src/domain/guardrails';
import { planInputs } from '../src/domain/input-plan';
import type { FetchOutcome } from '../src/grpc-out/feature-fetcher';
import { MicroBatcher } from '../src/models/micro-batcher';
import { ActiveDeployment, type ServedVersion } from '../src/serving/active-deployment';
import { ServingTable } from '../src/serving/serving-table';
import { AnswerPrediction, type Features, type PredictionObserver } from '../src/use-cases/answer-prediction';
import { aDeployment, aDeploymentChanged, aVector, FirstFeatureModel } from './builders';

export const NOW = 990_000_000_000_000;

export interface ServingOptions {
  changed?: DeploymentChanged;
  /** Versions that fail when they run. */
  broken?: number[];
  /** Of every version's profile. */
  ranges?: FeatureRanges;
  /** What each version scores; its number over ten, if absent. */
  scores?: Readonly<Record<number, number>>;
  pseudonymKey?: string;
}

/** A deployment whose versions score their number over ten, whatever they are asked. */
export function serving(options: ServingOptions): ServingTable {
  const deployment = aDeployment(options.changed ?? aDeploymentChanged());
  const plans = new Map<string, ReturnType<typeof planInputs>>();
  const versions = deployment.versions.map((version): ServedVersion => {
    const key = JSON.stringify(version.signature.features);
    const inputs = plans.get(key) ?? planInputs(version.signature.features);
    plans.set(key, inputs);
    const width = version.signature.features.length;
    const model = new FirstFeatureModel(width, (features) => {
      if (options.broken?.includes(version.number)) throw new Error(`version ${version.number} is broken`);
      for (let index = 0; index < features.length; index += width) {
        features[index] = options.scores?.[version.number] ?? version.number / 10;
      }
    });
    const batcher = new MicroBatcher(model, { maxBatchRows: 64, maxQueuedRows: 100 });
    const { number, role, weight } = version;
    return {
      number,
      role,
      weight,
      task: 'binary',
      inputs,
      loaded: { key: String(number), model, batcher, ran: { runs: 0, runSeconds: 0 } },
      ranges: options.ranges ?? [],
    };
  });
  const [champion, ...others] = versions;
  if (!champion) throw new Error('no version');
  const table = new ServingTable();
  table.want(deployment);
  table.activate(new ActiveDeployment(deployment, [champion, ...others]));
  table.markCaughtUp();
  return table;
}

/** AnswerPrediction with versions that score their number over ten, and everything that it tells. */
export function setUp(
  options: ServingOptions & {
    outcome?: FetchOutcome | ((columns: readonly string[]) => FetchOutcome | Promise<FetchOutcome>);
  },
) {
  const table = serving(options);
  const fetches: { columns: readonly string[]; timeoutMs: number; trace: string | undefined }[] = [];
  const traces: (string | undefined)[] = [];
  const features: Features = {
    fetch: (plan, _row, timeoutMs, trace) => {
      fetches.push({ columns: plan.names, timeoutMs, trace });
      const { outcome = { kind: 'features', vector: aVector() } } = options;
      return Promise.resolve(typeof outcome === 'function' ? outcome(plan.names) : outcome);
    },
  };
  const log: PredictionServed[] = [];
  const fallbacks: string[] = [];
  const guarded: string[] = [];
  const failures: { version: number; assigned: boolean }[] = [];
  const asked: { version: number; failed: boolean }[] = [];
  const observer: PredictionObserver = {
    served: (event, _cause, trace) => {
      log.push(event);
      traces.push(trace);
    },
    featuresWaited: () => undefined,
    fallback: (_, reason) => fallbacks.push(reason),
    versionFailed: (_, version, assigned) => failures.push({ version, assigned }),
    guarded: (_, breaches) => guarded.push(...breaches.map(({ guardrail, action }) => `${guardrail} ${action}`)),
    versionAsked: (_, version, error) => asked.push({ version, failed: error !== undefined }),
  };
  const answer = new AnswerPrediction(table, features, observer, new PersonalData(options.pseudonymKey), () => NOW);
  return { answer, fetches, log, traces, fallbacks, failures, asked, guarded };
}
