// Counterfactual replay: past requests of an endpoint scored by any version, against the labels that came since.
// Everything comes from the log and the artifact store: the prediction log has the features as they were served.
import { ArtifactStore } from '@headrace/artifacts';
import { events, topicOf, topics } from '@headrace/contracts';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import type { DataArrived } from '@headrace/contracts/proto/ingestion/v1/ingestion_events';
import type { ModelVersion } from '@headrace/contracts/proto/registry/v1/registry_service';
import { asNumber, compileExpression } from '@headrace/definitions';
import { openLogReader, type LogEvent, type LogReader } from '@headrace/messaging';
import { auc } from '@headrace/statistics';
import * as ort from 'onnxruntime-node';

export interface LabelSource {
  readonly stream: string;
  /** CEL over `record`. */
  readonly expression: string;
}

export interface Evaluation {
  readonly version: number;
  readonly rows: number;
  readonly auc: number;
  readonly brier: number;
}

const BATCH_ROWS = 4_096;

interface Labelled {
  readonly features: readonly number[];
  readonly label: number;
}

/** Scores the same labelled requests (as of `fromMicros` or later) with every version. Binary models. */
export async function evaluateVersions(options: {
  readonly brokers: string;
  readonly artifacts: string;
  readonly endpoint: string;
  readonly label: LabelSource;
  readonly versions: readonly ModelVersion[];
  readonly fromMicros: number;
}): Promise<Evaluation[]> {
  const rows = await labelledRequests(options);
  const store = new ArtifactStore(options.artifacts);
  const evaluations: Evaluation[] = [];
  for (const version of options.versions) {
    const session = await ort.InferenceSession.create(await store.pathOf(version.modelArtifact?.digest ?? ''), {
      intraOpNumThreads: 1,
    });
    const scores = await scoreAll(session, rows);
    await session.release();
    const labels = rows.map((row) => row.label);
    evaluations.push({
      version: version.version,
      rows: rows.length,
      auc: auc(labels, scores),
      brier: labels.reduce((sum, label, index) => sum + (label - (scores[index] ?? 0)) ** 2, 0) / labels.length,
    });
  }
  return evaluations;
}

async function labelledRequests(options: {
  readonly brokers: string;
  readonly endpoint: string;
  readonly label: LabelSource;
  readonly fromMicros: number;
}): Promise<Labelled[]> {
  const reader = openLogReader({ brokers: options.brokers, clientId: 'headrace-cli' });
  try {
    const labels = new Map<string, number>();
    const labelOf = compileExpression(options.label.expression, 'record');
    await readWhole(reader, topicOf(topics.data, options.label.stream), (event) => {
      if (event.type !== events.DataArrived.type) return;
      const record = event.data as DataArrived;
      const label = asNumber(labelOf(record.fields));
      if (label !== undefined) labels.set(record.recordKey, label);
    });
    const requests = new Map<string, Labelled>();
    await readWhole(reader, topics.predictions.name, (event) => {
      const served = event.data as PredictionServed;
      const label = labels.get(served.joinKey);
      if (
        served.endpoint !== options.endpoint ||
        served.fallback ||
        served.asOfMicros < options.fromMicros ||
        label === undefined
      )
        return;
      requests.set(served.predictionId, { features: served.featureValues, label });
    });
    return [...requests.values()];
  } finally {
    await reader.close();
  }
}

async function readWhole(reader: LogReader, topic: string, take: (event: LogEvent) => void): Promise<void> {
  const ends = await reader.endOffsets(topic);
  const ranges = new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }]));
  await reader.readRange(topic, ranges, (batch) => batch.forEach(take));
}

async function scoreAll(session: ort.InferenceSession, rows: readonly Labelled[]): Promise<number[]> {
  const scores: number[] = [];
  for (let start = 0; start < rows.length; start += BATCH_ROWS) {
    const part = rows.slice(start, start + BATCH_ROWS);
    const width = part[0]?.features.length ?? 0;
    const data = Float32Array.from(part.flatMap((row) => row.features));
    const output = await session.run({ features: new ort.Tensor('float32', data, [part.length, width]) });
    const probabilities = output['probabilities']?.data as Float32Array;
    for (let row = 0; row < part.length; row += 1) scores.push(probabilities[row * 2 + 1] ?? NaN);
  }
  return scores;
}
