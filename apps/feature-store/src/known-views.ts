// The feature views, compiled once for each content: the newest that were applied, and those whose records are kept.
import { events, topicOf, topics } from '@headrace/contracts';
import { DefinitionReader, type Versioned } from '@headrace/definition-store';
import { canonicalJson, validateDefinition } from '@headrace/definitions';
import { TOPIC_SUBSCRIPTIONS, UNIT_OF_WORK, type TopicSubscriptions, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, Readiness, type Logger, type Queries } from '@headrace/service-kit';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { readVersions, registerVersion, type ViewVersion } from './database/view-versions.repository';
import { compileView, type CompiledView } from './domain/feature-view';

/** Consumer group of the data topics. */
export const DATA_GROUP = 'feature-store';

/** A registered content of a view: its id is in the records. */
export interface KeptView {
  readonly id: number;
  readonly view: CompiledView;
}

@Injectable()
export class KnownViews implements OnApplicationBootstrap {
  private readonly newest = new Map<string, CompiledView>();
  private readonly registered = new Set<string>();
  private readonly kept = new Map<number, CompiledView>();
  private registering = Promise.resolve();

  constructor(
    @Inject(UNIT_OF_WORK) private readonly work: UnitOfWork,
    @Inject(TOPIC_SUBSCRIPTIONS) private readonly subscriptions: TopicSubscriptions,
    @Inject(LOGGER) private readonly logger: Logger,
    private readonly definitions: DefinitionReader,
    private readonly readiness: Readiness,
  ) {}

  onApplicationBootstrap(): void {
    this.readiness.register('views', () => {
      const waiting = [...this.newest.values()].filter((view) => !this.registered.has(`${view.name} ${view.version}`));
      return waiting.length === 0 ? undefined : `not registered yet: ${waiting.map(({ name }) => name).join(', ')}`;
    });
    this.definitions.onChange('FeatureView', (changed) => {
      const view = compileView(changed.definition, changed.version);
      this.newest.set(view.name, view);
      this.registering = this.registering.then(() => this.register(view, changed));
    });
  }

  /** The newest content that was applied; its records may still be on their way. */
  get(name: string): CompiledView | undefined {
    return this.newest.get(name);
  }

  byName(): ReadonlyMap<string, CompiledView> {
    return this.newest;
  }

  /** Registered contents by their ids, as the database has them: no instance depends on what another one knows. */
  async ofIds(queries: Queries, ids: readonly number[]): Promise<KeptView[]> {
    const unknown = ids.filter((id) => !this.kept.has(id));
    if (unknown.length > 0) {
      for (const version of await readVersions(queries, unknown)) this.kept.set(version.id, compiledFrom(version));
    }
    return ids.flatMap((id) => {
      const view = this.kept.get(id);
      return view ? [{ id, view }] : [];
    });
  }

  /** Its stream is read only once the view is registered. Tried until it succeeds. */
  private async register(
    view: CompiledView,
    { definition, generation }: Pick<Versioned<'FeatureView'>, 'definition' | 'generation'>,
  ): Promise<void> {
    const { name, version, stream } = view;
    const document = canonicalJson(definition);
    for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
      try {
        await this.work.run((transaction) =>
          registerVersion(transaction, DATA_GROUP, topicOf(topics.data, stream), {
            name,
            version,
            stream,
            generation,
            document,
          }),
        );
        break;
      } catch (error) {
        this.logger.warn({ err: error, view: name }, 'a feature view could not be registered, trying again');
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    this.registered.add(`${name} ${version}`);
    const known = [...this.newest.values()].filter((one) => this.registered.has(`${one.name} ${one.version}`));
    this.subscriptions.set(DATA_GROUP, events.DataArrived, [...new Set(known.map((one) => one.stream))]);
  }
}

function compiledFrom({ name, version, document }: ViewVersion): CompiledView {
  const result = validateDefinition(JSON.parse(document));
  if (result.kind === 'valid' && result.definition.kind === 'FeatureView') {
    return compileView(result.definition, version);
  }
  throw new Error(`view_versions: the document of ${name} ${version} is not a FeatureView of this release`);
}
