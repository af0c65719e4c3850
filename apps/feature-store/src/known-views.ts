// The feature views as this instance knows them, compiled once for each content.
import { events, topicOf, topics } from '@headrace/contracts';
import { DefinitionReader } from '@headrace/definition-store';
import { TOPIC_SUBSCRIPTIONS, UNIT_OF_WORK, type TopicSubscriptions, type UnitOfWork } from '@headrace/messaging';
import { LOGGER, Readiness, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { registerVersion } from './database/view-versions.repository';
import { compileView, type CompiledView } from './domain/feature-view';

/** Consumer group of the data topics. */
export const DATA_GROUP = 'feature-store';

@Injectable()
export class KnownViews implements OnApplicationBootstrap {
  private readonly newest = new Map<string, CompiledView>();
  private readonly registered = new Set<string>();
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
    this.definitions.onChange('FeatureView', ({ definition, version, generation }) => {
      const view = compileView(definition, version);
      this.newest.set(view.name, view);
      this.registering = this.registering.then(() => this.register(view, generation));
    });
  }

  get(name: string): CompiledView | undefined {
    return this.newest.get(name);
  }

  all(): CompiledView[] {
    return [...this.newest.values()];
  }

  byName(): ReadonlyMap<string, CompiledView> {
    return this.newest;
  }

  /** The view of exactly this content, if this instance knows it as the newest. */
  ofVersion(name: string, version: string): CompiledView | undefined {
    const view = this.newest.get(name);
    return view?.version === version ? view : undefined;
  }

  /** Its stream is read only once the view is registered, so no record can pass it by. Tried until it succeeds. */
  private async register(view: CompiledView, generation: number): Promise<void> {
    for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
      try {
        await this.work.run((transaction) =>
          registerVersion(transaction, DATA_GROUP, topicOf(topics.data, view.stream), {
            name: view.name,
            version: view.version,
            stream: view.stream,
            generation,
          }),
        );
        break;
      } catch (error) {
        this.logger.warn({ err: error, view: view.name }, 'a feature view could not be registered, trying again');
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    this.registered.add(`${view.name} ${view.version}`);
    const streams = [
      ...new Set(
        this.all()
          .filter((known) => this.registered.has(`${known.name} ${known.version}`))
          .map(({ stream }) => stream),
      ),
    ];
    this.subscriptions.set(DATA_GROUP, events.DataArrived, streams);
  }
}
