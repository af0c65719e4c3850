import { INTEGER, BIGINT, type DuckDBConnection, type DuckDBValue } from '@duckdb/node-api';
import { ArtifactStore } from '@headrace/artifacts';
import { DomainError, topics } from '@headrace/contracts';
import {
  FeatureStatus,
  type CheckServingSkewResponse,
  type SkewExample,
} from '@headrace/contracts/proto/features/v1/features_service';
import type { PredictionServed } from '@headrace/contracts/proto/inference/v1/inference_events';
import { asNumber } from '@headrace/definitions';
import { DefinitionReader } from '@headrace/definition-store';
import { LOG_READER, type LogReader } from '@headrace/messaging';
import { SETTINGS } from '@headrace/service-kit';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { newestDatasets } from '../database/jobs.repository';
import type { CompiledView } from '../domain/feature-view';
import { resolveColumns, viewsOf, type TrainingColumn } from '../domain/training-columns';
import type { FeatureStoreSettings } from '../feature-store.config';
import { openDataset, type Dataset } from '../history/dataset';
import { TableWriter, withDuckDb } from '../history/duckdb';
import { EntityIds, joinFeatures, RecordTable, type JoinedView } from '../history/point-in-time-join';
import { scanRecords } from '../history/scan-records';
import { KnownViews } from '../known-views';
import { completeUntil } from './source-completeness';

const MAXIMUM_EXAMPLES = 20;
const EXACT: ReadonlySet<FeatureStatus> = new Set([FeatureStatus.PRESENT, FeatureStatus.MISSING]);

/** Compares what was served with the point-in-time join made afterwards from dataset versions: to the bit. */
@Injectable()
export class CheckServingSkew {
  constructor(
    @Inject(LOG_READER) private readonly log: LogReader,
    @Inject(SETTINGS) private readonly settings: FeatureStoreSettings,
    private readonly source: DataSource,
    private readonly artifacts: ArtifactStore,
    private readonly definitions: DefinitionReader,
    private readonly views: KnownViews,
  ) {}

  async run(endpoint: string): Promise<CheckServingSkewResponse> {
    const columns = this.columnsOf(endpoint);
    const views = viewsOf(columns);
    const datasets = await this.datasetsOf(views);
    const complete = Math.min(
      Infinity,
      ...(await Promise.all([...datasets.values()].map((dataset) => completeUntil(this.log, dataset)))),
    );
    const { served, skipped } = await this.exactPredictions(endpoint, complete);
    const joined = await this.join(served, columns, views, datasets);
    let different = 0;
    const examples: SkewExample[] = [];
    served.forEach((prediction, row) => {
      const values = new Map(
        prediction.featureNames.map((name, index) => [name, prediction.featureValues[index] ?? NaN]),
      );
      const faults = columns.flatMap((column, index) => {
        // A model of an older plan may not have asked for it.
        if (!values.has(column.name)) return [];
        const served = values.get(column.name) ?? NaN;
        const again = joined[row]?.[index] ?? NaN;
        return Object.is(served, again) || served === again
          ? []
          : [{ predictionId: prediction.predictionId, feature: column.name, served, joined: again }];
      });
      if (faults.length === 0) return;
      different += 1;
      examples.push(...faults.slice(0, MAXIMUM_EXAMPLES - examples.length));
    });
    return { compared: served.length, different, skipped, examples };
  }

  /** What can be joined again: features of an entity whose keys the log does not hold cannot. */
  private columnsOf(endpoint: string): readonly TrainingColumn[] {
    const spec = this.definitions.get('Endpoint', endpoint)?.definition.spec;
    if (spec === undefined)
      throw new DomainError('not-found', 'unknown_endpoint', `endpoint: there is no Endpoint "${endpoint}"`);
    const { model, logging } = spec;
    const plan = this.definitions.all('TrainingPlan').find(({ definition }) => definition.spec.model === model);
    if (!plan) throw new DomainError('precondition', 'no_plan', `no TrainingPlan makes versions of model "${model}"`);
    const resolved = resolveColumns(plan.definition, this.views.byName());
    if (resolved.kind === 'faulty') throw new DomainError('precondition', resolved.fault.code, resolved.fault.message);
    const isKept = ({ from }: TrainingColumn): boolean =>
      from.kind === 'request' || !Object.hasOwn(logging.personal, from.view.entity);
    const columns = resolved.columns.filter(isKept);
    if (viewsOf(columns).length > 0 || columns.length === resolved.columns.length) return columns;
    const message = `every feature of endpoint "${endpoint}" belongs to an entity that spec.logging.personal keeps out of its log`;
    throw new DomainError('precondition', 'personal_entities', message);
  }

  private async datasetsOf(views: readonly CompiledView[]): Promise<Map<string, Dataset>> {
    const streams = [...new Set(views.map(({ stream }) => stream))];
    const datasets = new Map<string, Dataset>();
    for (const ref of await newestDatasets(this.source, streams))
      datasets.set(ref.stream, await openDataset(this.artifacts, ref));
    const missing = streams.filter((stream) => !datasets.has(stream));
    if (missing.length > 0)
      throw new DomainError('precondition', 'no_dataset', `there is no dataset version of ${missing.join(', ')} yet`);
    return datasets;
  }

  /** Predictions whose features were all exact when served and can be joined again; each once. */
  private async exactPredictions(
    endpoint: string,
    complete: number,
  ): Promise<{ served: PredictionServed[]; skipped: number }> {
    const ends = await this.log.endOffsets(topics.predictions.name);
    const served = new Map<string, PredictionServed>();
    const skipped = new Set<string>();
    await this.log.readRange(
      topics.predictions.name,
      new Map([...ends].map(([partition, to]) => [partition, { from: 0, to }])),
      (batch) => {
        for (const event of batch) {
          const prediction = event.data as PredictionServed;
          if (prediction.endpoint !== endpoint) continue;
          const exact =
            !prediction.fallback &&
            prediction.asOfMicros <= complete &&
            prediction.featureStatuses.every((status) => EXACT.has(status));
          if (exact) served.set(prediction.predictionId, prediction);
          else skipped.add(prediction.predictionId);
        }
      },
    );
    return { served: [...served.values()], skipped: [...skipped].filter((id) => !served.has(id)).length };
  }

  private join(
    served: readonly PredictionServed[],
    columns: readonly TrainingColumn[],
    views: readonly CompiledView[],
    datasets: ReadonlyMap<string, Dataset>,
  ): Promise<number[][]> {
    const { JOIN_MEMORY_LIMIT: memoryLimit, JOIN_THREADS: threads } = this.settings;
    return withDuckDb({ memoryLimit, threads }, async (connection) => {
      const entities = [...new Set(views.map(({ entity }) => entity))];
      const ids = new Map(entities.map((entity) => [entity, new EntityIds()]));
      await writeSpine(connection, served, entities, ids);
      const joined: JoinedView[] = [];
      const tables: RecordTable[] = [];
      for (const [index, view] of views.entries()) {
        const table = await RecordTable.create(
          connection,
          `records_${index}`,
          view,
          ids.get(view.entity) ?? new EntityIds(),
        );
        tables.push(table);
        joined.push({
          view,
          records: table.name,
          entityColumn: `entity_${entities.indexOf(view.entity)}`,
          features: columns.flatMap(({ from }) => (from.kind === 'view' && from.view === view ? [from.feature] : [])),
        });
      }
      for (const [stream, dataset] of datasets) {
        const ofStream = views.flatMap((view, index) => (view.stream === stream ? [index] : []));
        await scanRecords(
          connection,
          dataset,
          ofStream.flatMap((index) => views[index]?.sources ?? []),
          (record) => {
            for (const index of ofStream) tables[index]?.add(record);
          },
        );
      }
      tables.forEach((table) => table.close());
      const rows = served.map((prediction) =>
        columns.map(({ from }) =>
          from.kind === 'request' ? (asNumber(from.expression(prediction.request)) ?? NaN) : NaN,
        ),
      );
      // The columns of a view in their order, as its features are listed above.
      const places = joined.flatMap(({ view }) =>
        columns.flatMap(({ from }, place) => (from.kind === 'view' && from.view === view ? [place] : [])),
      );
      await joinFeatures(connection, 'spine', joined, (idx, values) => {
        const row = rows[idx];
        if (row) values.forEach((value, index) => (row[places[index] ?? -1] = value));
      });
      return rows;
    });
  }
}

async function writeSpine(
  connection: DuckDBConnection,
  served: readonly PredictionServed[],
  entities: readonly string[],
  ids: ReadonlyMap<string, EntityIds>,
): Promise<void> {
  const writer = await TableWriter.create(connection, 'spine', [
    { name: 'idx', type: INTEGER },
    { name: 't', type: BIGINT },
    ...entities.map((_, index) => ({ name: `entity_${index}`, type: INTEGER })),
  ]);
  served.forEach((prediction, idx) => {
    const keys = entities.map((entity): DuckDBValue => {
      const key = prediction.entities[entity];
      return key === undefined ? null : (ids.get(entity)?.idOf(key) ?? null);
    });
    writer.write([idx, BigInt(prediction.asOfMicros), ...keys]);
  });
  writer.close();
}
