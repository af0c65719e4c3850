// The demo's result, counted from the services and the topics, never from the demo's own counters.
import { ArtifactStore } from '@headrace/artifacts';
import type { DecisionRecord } from '@headrace/contracts/proto/monitoring/v1/monitoring_service';
import type { EndpointHistoryEntry, ModelVersion } from '@headrace/contracts/proto/registry/v1/registry_service';
import { evaluateVersions } from '../commands/evaluate';
import type { Clients } from '../connection';
import type { SystemAddresses } from '../local/system';

export interface DemoSummary {
  wallSeconds: number;
  peakRssMiB: number;
  records: { published: number; accepted: number; rejected: number; duplicates: number };
  datasetVersions: number;
  modelVersions: { version: number; role: 'initial' | 'retrained' | 'bad'; auc: number; brier: number }[];
  predictions: {
    asked: number;
    answered: number;
    fallback: number;
    failed: number;
    p50Milliseconds: number;
    p99Milliseconds: number;
  };
  skew: { compared: number; different: number; skipped: number };
  drift: {
    injected: boolean;
    detectedAfterSeconds: number;
    trainedAfterSeconds: number;
    promotedAfterSeconds: number;
    lastLabelToPromotedSeconds: number;
  };
  rollback: { afterSeconds: number; failedRequests: number };
  restarts: number;
  causation: string[];
}

/** What counts.mjs of the example prints. */
export interface TopicCounts {
  readonly published: { readonly departures: number; readonly arrivals: number };
  readonly askable: number;
  readonly asked: number;
  readonly answered: number;
  readonly fallback: number;
  readonly failed: number;
  readonly latencyMilliseconds: { readonly p50: number; readonly p99: number };
}

export interface DemoNames {
  readonly model: string;
  readonly endpoint: string;
  readonly monitor: string;
  readonly label: { readonly stream: string; readonly expression: string };
}

export async function collectSummary(options: {
  readonly clients: Clients;
  readonly addresses: SystemAddresses;
  readonly names: DemoNames;
  readonly counts: TopicCounts;
  /** Makes dataset versions of everything that was accepted; meanwhile the model versions are compared. */
  readonly commitDatasets: () => Promise<void>;
  readonly wallSeconds: number;
  readonly peakRssMiB: number;
  readonly restarts: number;
}): Promise<DemoSummary> {
  const { clients, names, counts } = options;
  const { versions } = await clients.call(clients.registry.listVersions.bind(clients.registry), { model: names.model });
  const ordered = [...versions].sort((a, b) => a.version - b.version);
  const [skew, evaluations] = await Promise.all([
    options
      .commitDatasets()
      .then(() =>
        clients.call(
          clients.features.checkServingSkew.bind(clients.features),
          { endpoint: names.endpoint },
          { timeoutMs: 300_000 },
        ),
      ),
    afterEveryTraining(ordered, options.addresses.artifacts).then((fromMicros) =>
      evaluateVersions({
        brokers: options.addresses.kafka,
        artifacts: options.addresses.artifacts,
        endpoint: names.endpoint,
        label: names.label,
        versions: ordered,
        fromMicros,
      }),
    ),
  ]);
  const { streams } = await clients.call(clients.ingestion.getStreamCounts.bind(clients.ingestion), { stream: '' });
  const { versions: datasets } = await clients.call(clients.ingestion.listDatasetVersions.bind(clients.ingestion), {
    stream: '',
  });
  const endpoint = await clients.call(clients.registry.getEndpoint.bind(clients.registry), {
    endpoint: names.endpoint,
  });
  const monitor = await clients.call(clients.monitoring.getMonitor.bind(clients.monitoring), {
    monitor: names.monitor,
    lastWindows: 1_000,
  });
  const promotion = lastChange(endpoint.history, 'promoted');
  const chain = promotion
    ? (await clients.call(clients.registry.traceEvent.bind(clients.registry), { eventId: promotion.eventId })).chain
    : [];
  return {
    wallSeconds: options.wallSeconds,
    peakRssMiB: options.peakRssMiB,
    records: {
      published: counts.published.departures + counts.published.arrivals,
      accepted: sum(streams.map((stream) => stream.accepted)),
      rejected: sum(streams.map((stream) => stream.rejected)),
      duplicates: sum(streams.map((stream) => stream.duplicates)),
    },
    datasetVersions: datasets.length,
    modelVersions: ordered.map((version) => {
      const evaluation = evaluations.find((candidate) => candidate.version === version.version);
      return {
        version: version.version,
        role: roleOf(version),
        auc: evaluation?.auc ?? NaN,
        brier: evaluation?.brier ?? NaN,
      };
    }),
    predictions: {
      asked: counts.asked,
      answered: counts.answered + counts.fallback,
      fallback: counts.fallback,
      failed: counts.failed,
      p50Milliseconds: counts.latencyMilliseconds.p50,
      p99Milliseconds: counts.latencyMilliseconds.p99,
    },
    skew: { compared: skew.compared, different: skew.different, skipped: skew.skipped },
    drift: driftTimes(monitor.decisions, ordered, promotion),
    rollback: {
      afterSeconds: rollbackSeconds(monitor.decisions, lastChange(endpoint.history, 'rolled_back')),
      failedRequests: counts.failed,
    },
    restarts: options.restarts,
    causation: chain.map((event) => event.type.split('.').at(-1) ?? event.type),
  };
}

function roleOf(version: ModelVersion): 'initial' | 'retrained' | 'bad' {
  if (version.shuffleLabels) return 'bad';
  return version.version === 1 ? 'initial' : 'retrained';
}

/** The first moment that no version has trained on. */
async function afterEveryTraining(versions: readonly ModelVersion[], artifacts: string): Promise<number> {
  const store = new ArtifactStore(artifacts);
  const ends = await Promise.all(
    versions.map(async (version) => {
      const result = JSON.parse((await store.read(version.resultArtifact?.digest ?? '')).toString('utf8')) as {
        event_time: { registered_to?: number; validation_to: number };
      };
      return result.event_time.registered_to ?? result.event_time.validation_to;
    }),
  );
  return Math.max(...ends) + 1;
}

function lastChange(history: readonly EndpointHistoryEntry[], change: string): EndpointHistoryEntry | undefined {
  return [...history].reverse().find((entry) => entry.change?.change === change);
}

function secondsBetween(from: number | undefined, to: number | undefined): number {
  return from === undefined || to === undefined || from === 0 || to === 0 ? NaN : (to - from) / 1e6;
}

function ofType(decisions: readonly DecisionRecord[], type: string): DecisionRecord[] {
  return decisions.filter((decision) => decision.type.endsWith(`.${type}`));
}

/** From the moment that the record which decided the retraining was published. */
function driftTimes(
  decisions: readonly DecisionRecord[],
  versions: readonly ModelVersion[],
  promotion: EndpointHistoryEntry | undefined,
): DemoSummary['drift'] {
  const request = ofType(decisions, 'RetrainingRequested')[0];
  const deciding = request?.decidingRecordPublishedMicros;
  const retrained = versions.find((version) => roleOf(version) === 'retrained');
  return {
    injected: true,
    detectedAfterSeconds: secondsBetween(deciding, request?.decidedAtMicros),
    trainedAfterSeconds: secondsBetween(deciding, retrained?.registeredAtMicros),
    promotedAfterSeconds: secondsBetween(deciding, promotion?.atMicros),
    lastLabelToPromotedSeconds: lastLabelToPromotion(decisions, promotion),
  };
}

/** From the moment that the label which decided the analysis was published. */
function rollbackSeconds(decisions: readonly DecisionRecord[], rollback: EndpointHistoryEntry | undefined): number {
  const analysis = ofType(decisions, 'RolloutAnalysisCompleted').at(-1);
  return secondsBetween(analysis?.decidingRecordPublishedMicros, rollback?.atMicros);
}

/** From the last label that the promotion needed to the promoted version. */
function lastLabelToPromotion(
  decisions: readonly DecisionRecord[],
  promotion: EndpointHistoryEntry | undefined,
): number {
  const analysis = ofType(decisions, 'RolloutAnalysisCompleted')[0];
  return secondsBetween(analysis?.decidingRecordPublishedMicros, promotion?.atMicros);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** What must be true of a run, each with what was seen when it is not. */
export function faultsOf(summary: DemoSummary, counts: TopicCounts): string[] {
  const { records, predictions, skew, drift, rollback, modelVersions } = summary;
  const faults: string[] = [];
  const expect = (holds: boolean, fault: string): void => void (holds || faults.push(fault));
  const by = (role: string) => modelVersions.find((version) => version.role === role);
  expect(
    records.published === records.accepted + records.rejected + records.duplicates,
    `published ${records.published} ≠ accepted ${records.accepted} + rejected ${records.rejected} + duplicates ${records.duplicates}`,
  );
  expect(predictions.asked === counts.askable, `asked ${predictions.asked} of ${counts.askable} departures`);
  expect(predictions.failed === 0, `${predictions.failed} requests got neither an answer nor a declared fallback`);
  expect(
    skew.compared > 0 && skew.different === 0,
    `features served and joined afterwards: ${skew.compared} compared, ${skew.different} different`,
  );
  expect(
    modelVersions.length === 3 && ['initial', 'retrained', 'bad'].every((role) => by(role)),
    `versions: ${modelVersions.map((version) => version.role).join(', ') || 'none'}, expected initial, retrained, bad`,
  );
  expect(
    (by('retrained')?.auc ?? NaN) > (by('initial')?.auc ?? NaN),
    'the retrained version is not better than the initial one on later traffic',
  );
  expect(Number.isFinite(drift.promotedAfterSeconds), 'nothing was promoted after drift');
  expect(Number.isFinite(rollback.afterSeconds), 'the bad candidate was not rolled back');
  const inOrder = [
    'DataArrived',
    'DatasetVersionCommitted',
    'TrainingRequested',
    'DriftDetected',
    'RetrainingRequested',
    'ModelTrained',
    'RolloutAnalysisCompleted',
  ];
  expect(
    inOrder.every((type) => summary.causation.includes(type)) ||
      (summary.causation.includes('PerformanceDegraded') &&
        inOrder.filter((type) => type !== 'DriftDetected').every((type) => summary.causation.includes(type))),
    `the chain of causation is incomplete: ${summary.causation.join(' → ') || 'empty'}`,
  );
  return faults;
}
