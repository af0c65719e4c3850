import { events } from '@headrace/contracts';
import { compileExpression, type Endpoint, type Expression, type Monitor } from '@headrace/definitions';
import { DefinitionReader } from '@headrace/definition-store';
import { TOPIC_SUBSCRIPTIONS, type TopicSubscriptions } from '@headrace/messaging';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Judged } from './database/outcomes.repository';
import { compileMetrics, type CompiledMetric } from './domain/business-metrics';
import { labelSourceOf, type LabelSource } from './domain/label-source';

/** Consumer group of this service. */
export const GROUP = 'monitoring';

export interface WatchedMonitor {
  readonly name: string;
  /** Content hash of the definition. */
  readonly version: string;
  readonly spec: Monitor['spec'];
  readonly endpoint: string;
  readonly model: string;
  readonly rollout: Endpoint['spec']['rollout'];
  readonly source: LabelSource;
  readonly metrics: readonly CompiledMetric[];
}

export interface CompiledSource extends LabelSource {
  readonly evaluate: Expression;
  /** Of its records, those that metrics of its monitors read. */
  readonly fields: readonly string[];
}

/** The monitors whose endpoint and model are known, in their newest definitions, and where their labels come from. */
@Injectable()
export class WatchedMonitors implements OnModuleInit {
  private monitors: readonly WatchedMonitor[] = [];
  private sources: ReadonlyMap<string, CompiledSource> = new Map();
  private isKnown = false;

  constructor(
    private readonly definitions: DefinitionReader,
    @Inject(TOPIC_SUBSCRIPTIONS) private readonly subscriptions: TopicSubscriptions,
  ) {}

  onModuleInit(): void {
    void this.definitions.ready.then(() => {
      this.isKnown = true;
      this.refresh();
      this.definitions.onAnyChange(() => this.refresh());
    });
  }

  /** False until all definitions are read: before that nobody can say whose label a record is. */
  get known(): boolean {
    return this.isKnown;
  }

  all(): readonly WatchedMonitor[] {
    return this.monitors;
  }

  /** Which labels judge the predictions of which of these endpoints. */
  judgedOf(endpoints: ReadonlySet<string>): Judged[] {
    return distinct(this.monitors.filter((monitor) => endpoints.has(monitor.endpoint)));
  }

  judgedBy(sources: ReadonlySet<string>): Judged[] {
    return distinct(this.monitors.filter((monitor) => sources.has(monitor.source.id)));
  }

  sourcesOf(stream: string): CompiledSource[] {
    return [...this.sources.values()].filter((source) => source.stream === stream);
  }

  private refresh(): void {
    this.monitors = this.definitions.all('Monitor').flatMap((monitor) => this.watched(monitor) ?? []);
    const sources = new Map<string, CompiledSource>();
    for (const { source, metrics } of this.monitors) {
      const known = this.sources.get(source.id) ?? sources.get(source.id);
      const evaluate = known?.evaluate ?? compileExpression(source.expression, 'record');
      const ofOthers = sources.get(source.id)?.fields ?? [];
      const fields = [...new Set([...ofOthers, ...metrics.flatMap((metric) => metric.record)])];
      sources.set(source.id, { ...source, evaluate, fields });
    }
    this.sources = sources;
    const streams = [...new Set([...sources.values()].map((source) => source.stream))].sort();
    this.subscriptions.set(GROUP, events.DataArrived, streams);
    this.subscriptions.set(GROUP, events.WatermarkAdvanced, streams);
  }

  private watched({ definition, version }: { definition: Monitor; version: string }): WatchedMonitor | undefined {
    const { spec, metadata } = definition;
    const endpoint = this.definitions.get('Endpoint', spec.endpoint)?.definition.spec;
    const model = endpoint && this.definitions.get('Model', endpoint.model)?.definition.spec;
    if (!endpoint || !model) return undefined;
    return {
      name: metadata.name,
      version,
      spec,
      endpoint: spec.endpoint,
      model: endpoint.model,
      rollout: endpoint.rollout,
      source: labelSourceOf(spec.label.stream, spec.label.expression, model.task),
      metrics: compileMetrics(spec.metrics),
    };
  }
}

function distinct(monitors: readonly WatchedMonitor[]): Judged[] {
  const found = new Map<string, Judged>();
  for (const { endpoint, source } of monitors) found.set(`${endpoint}\n${source.id}`, { endpoint, source: source.id });
  return [...found.values()];
}
