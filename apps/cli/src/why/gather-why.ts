// Asks the services for everything that one answer rests on.
import type { Estimate, Value } from '@headrace/contracts/proto/common/v1/common';
import { FeatureStatus } from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type {
  AuditEntry,
  EndpointHistoryEntry,
  ModelVersion,
  TracedEvent,
} from '@headrace/contracts/proto/registry/v1/registry_service';
import { scalarOf } from '@headrace/definitions';
import { formatTime } from '@headrace/event-time';
import { isUnavailable } from '@headrace/grpc';
import { indexed } from '../commands/log';
import type { Clients } from '../connection';
import type { Known } from './find-prediction';
import { approvalsOf, beyond, servingChange, waiverOf, type Approval } from './served-by';
import type { DatasetPart, EventLine, Why } from './why';

const AUDIT_PAGE = 1_000;

export async function gatherWhy(clients: Clients, served: PredictionServed, known: Known): Promise<Why> {
  const { endpoint, model } = served;
  const { registry } = clients;
  const notKnown: string[] = known.fault === '' ? [] : [`labels: ${known.fault}`];
  const version = served.version === 0 ? undefined : await versionOf(clients, model, served.version);
  const { history } = await clients.call(registry.getEndpoint.bind(registry), { endpoint });
  const change = servingChange(history, served);
  const { entries, chainIntact } = await auditOf(clients, [
    `Endpoint/${endpoint}`,
    `Model/${model}`,
    `Model/${model}/${served.version}`,
  ]);
  const registeredAtMicros = version?.registeredAtMicros ?? 0;
  const approvals = approvalsOf(entries, { ...served, registeredAtMicros });
  const made = version?.gateEventId ? ((await indexed(clients, version.gateEventId))?.chain ?? []) : [];
  const ledToChange = change ? ((await indexed(clients, change.eventId))?.chain ?? []) : [];
  return {
    prediction: predictionOf(served),
    features: featuresOf(served, version),
    labels: (known.answer?.labels ?? []).map(({ stream, label, eventTimeMicros, knownTimeMicros, eventId }) => ({
      stream,
      label,
      happenedAt: formatTime(eventTimeMicros),
      knownAt: formatTime(knownTimeMicros),
      event: eventId,
      squaredError: (served.output - label) ** 2,
      error: served.output - label,
    })),
    version: version ? versionPart(version, approvals) : null,
    training: version ? await trainingOf(clients, version, notKnown) : null,
    datasets: version ? await datasetsOf(clients, version, notKnown) : [],
    serving: change ? servingOf(change) : null,
    approvals: approvals.map(({ atMicros, ...approval }) => ({ ...approval, at: formatTime(atMicros) })),
    auditChainIntact: chainIntact,
    events: { made: made.map(line), served: beyond(ledToChange, made).map(line) },
    notKnown,
  };
}

async function versionOf(clients: Clients, model: string, version: number): Promise<ModelVersion> {
  const { registry } = clients;
  const { versions } = await clients.call(registry.listVersions.bind(registry), { model });
  const found = versions.find((one) => one.version === version);
  if (!found)
    throw new Error(`version ${version} of model "${model}" gave the answer, yet the registry does not know it`);
  return found;
}

async function auditOf(
  clients: Clients,
  subjects: string[],
): Promise<{ readonly entries: readonly AuditEntry[]; readonly chainIntact: boolean }> {
  const { registry } = clients;
  const entries: AuditEntry[] = [];
  for (;;) {
    const afterSequence = entries.at(-1)?.sequence ?? 0;
    const request = { afterSequence, limit: AUDIT_PAGE, subjects };
    const page = await clients.call(registry.listAuditEntries.bind(registry), request);
    entries.push(...page.entries);
    if (page.entries.length < AUDIT_PAGE || !page.chainIntact) return { entries, chainIntact: page.chainIntact };
  }
}

function predictionOf(served: PredictionServed): Why['prediction'] {
  const { predictionId: id, endpoint, model, version, assignment, fallback, fallbackReason, joinKey } = served;
  const { latencyMicros, entities, guardrails } = served;
  return {
    id,
    endpoint,
    model,
    version,
    assignment,
    output: numberOrNull(served.output),
    fallback,
    fallbackReason,
    joinKey,
    asOf: formatTime(served.asOfMicros),
    servedAt: formatTime(served.servedAtMicros),
    latencyMicros,
    entities,
    request: Object.fromEntries(Object.entries(served.request).map(([name, value]) => [name, plain(value)])),
    guardrails,
    others: served.shadowScores.map((score) => ({ version: score.version, output: numberOrNull(score.output) })),
  };
}

const STATUS: Readonly<Partial<Record<FeatureStatus, string>>> = {
  [FeatureStatus.PRESENT]: 'present',
  [FeatureStatus.MISSING]: 'missing',
  [FeatureStatus.STALE]: 'stale',
  [FeatureStatus.EXPIRED]: 'expired',
};

function featuresOf(served: PredictionServed, version: ModelVersion | undefined): Why['features'] {
  const columns = new Map(version?.signature?.features.map((column) => [column.name, column]));
  return served.featureNames.map((name, place) => {
    const column = columns.get(name);
    const status = served.featureStatuses[place] ?? FeatureStatus.UNSPECIFIED;
    const source = column && (column.view === '' ? column.requestExpression : viewSource(column));
    return {
      name,
      value: numberOrNull(served.featureValues[place] ?? Number.NaN),
      status: STATUS[status] ?? 'unknown',
      knownAsOf: knownAsOf(served, status),
      source: source ?? '',
    };
  });
}

function viewSource({ view, feature, entity }: { view: string; feature: string; entity: string }): string {
  return `${view}:${feature} of ${entity}`;
}

/** A stale value is what was known when the watermark stood where it says. */
function knownAsOf({ asOfMicros, watermarkMicros }: PredictionServed, status: FeatureStatus): string | null {
  if (status === FeatureStatus.EXPIRED || status === FeatureStatus.UNSPECIFIED) return null;
  return formatTime(status === FeatureStatus.STALE ? Math.min(watermarkMicros, asOfMicros) : asOfMicros);
}

function versionPart(version: ModelVersion, approvals: readonly Approval[]): Why['version'] {
  return {
    model: version.model,
    version: version.version,
    state: version.state,
    registeredAt: formatTime(version.registeredAtMicros),
    modelDigest: version.modelArtifact?.digest ?? '',
    metrics: Object.fromEntries(Object.entries(version.metrics).map(([name, metric]) => [name, interval(metric)])),
    gates: version.gates.map(({ name, criterion, measured, passed, message, waived }) => ({
      name,
      criterion,
      measured: numberOrNull(measured),
      passed,
      message,
      waived: waived ? waiverPart(name, approvals) : null,
    })),
  };
}

function waiverPart(gate: string, approvals: readonly Approval[]) {
  const waiver = waiverOf(gate, approvals);
  const text = (field: string): string => String(waiver?.detail[field] ?? '');
  return {
    by: waiver?.actor ?? '',
    role: text('role'),
    reason: text('reason'),
    at: waiver ? formatTime(waiver.atMicros) : '',
  };
}

async function trainingOf(clients: Clients, version: ModelVersion, notKnown: string[]): Promise<Why['training']> {
  const { training } = clients;
  const { plan } = version;
  const answer = await ifThere('training', notKnown, () => clients.call(training.listRuns.bind(training), { plan }));
  const run = answer?.runs.find(({ runId }) => runId === version.runId);
  const time = (micros: number | undefined): string | null => (micros ? formatTime(micros) : null);
  return {
    run: version.runId,
    plan,
    planVersion: version.planVersion,
    trigger: version.trigger,
    reason: run?.reason ?? '',
    requestedAt: time(run?.requestedAtMicros),
    finishedAt: time(run?.finishedAtMicros),
    rows: version.trainingRows,
    from: formatTime(version.trainFromMicros),
    to: formatTime(version.trainToMicros),
    seed: version.seed,
    environment: version.environmentDigest,
    trainingSet: version.trainingSet?.digest ?? '',
    featureViews: version.featureViews,
    shuffledLabels: version.shuffleLabels,
  };
}

async function datasetsOf(clients: Clients, version: ModelVersion, notKnown: string[]): Promise<DatasetPart[]> {
  const { ingestion } = clients;
  const rows: DatasetPart[] = [];
  for (const { stream, version: number, manifestDigest: manifest } of version.datasets) {
    const answer = await ifThere('ingestion', notKnown, () =>
      clients.call(ingestion.listDatasetVersions.bind(ingestion), { stream }),
    );
    const found = answer?.versions.find(({ dataset }) => dataset?.version === number);
    rows.push({
      stream,
      version: number,
      rows: found?.rows ?? null,
      from: found ? formatTime(found.minEventTimeMicros) : null,
      until: found ? formatTime(found.maxEventTimeMicros) : null,
      knownUntil: found ? formatTime(found.maxKnownTimeMicros) : null,
      manifest,
    });
  }
  return rows;
}

function servingOf({ change, atMicros, eventId }: EndpointHistoryEntry): Why['serving'] {
  return {
    change: change?.change ?? '',
    version: change?.version ?? 0,
    previousVersion: change?.previousVersion ?? 0,
    generation: change?.generation ?? 0,
    at: formatTime(atMicros),
    by: change?.actor ?? '',
    reason: change?.reason ?? '',
    event: eventId,
  };
}

/** Undefined when the service does not answer: the rest is worth telling without it. */
async function ifThere<T>(service: string, notKnown: string[], ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (!isUnavailable(error)) throw error;
    notKnown.push(`${service} does not answer`);
    return undefined;
  }
}

function line({ id, type, subject, timeMicros }: TracedEvent): EventLine {
  return { id, type: type.split('.').at(-1) ?? type, subject, time: formatTime(timeMicros) };
}

function interval({ value, low, high }: Estimate) {
  return { value: numberOrNull(value), low: numberOrNull(low), high: numberOrNull(high) };
}

function numberOrNull(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

function plain(value: Value): string | number | boolean | null {
  return value.kind?.$case === 'timeValue' ? formatTime(value.kind.value) : scalarOf(value);
}
