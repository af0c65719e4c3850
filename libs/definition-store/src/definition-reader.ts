import { topics } from '@headrace/contracts';
import { DefinitionPhase, type DefinitionChanged } from '@headrace/contracts/proto/definitions/v1/definitions_events';
import { validateDefinition, type Definition, type DefinitionOf, type Kind } from '@headrace/definitions';
import { LOG_READER, type BroadcastSubscription, type LogEvent, type LogReader } from '@headrace/messaging';
import { LOGGER, Readiness, type Logger } from '@headrace/service-kit';
import { Inject, Injectable, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';

/** One definition in its newest content. */
export interface Versioned<K extends Kind = Kind> {
  readonly definition: DefinitionOf<K>;
  /** Content hash of its spec. */
  readonly version: string;
  readonly generation: number;
  /** Everything that it refers to is known. */
  readonly isReady: boolean;
}

type Listener = (changed: Versioned) => void;

/**
 * All definitions of the system, in memory, from the compacted topic definitions.v1: every instance reads all of it.
 * What is known here may lag what was applied; decisions take their definitions by content hash from their own rows.
 */
@Injectable()
export class DefinitionReader implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly known = new Map<string, Versioned>();
  private readonly listeners = new Map<Kind, Listener[]>();
  private readonly anyListeners: (() => void)[] = [];
  private subscription: BroadcastSubscription | undefined;
  private caughtUp = false;
  private markReady: () => void = () => undefined;

  /** Resolves when everything that stood on the topic at the start is known. */
  readonly ready = new Promise<void>((resolve) => {
    this.markReady = resolve;
  });

  constructor(
    @Inject(LOG_READER) private readonly log: LogReader,
    @Inject(LOGGER) private readonly logger: Logger,
    readiness: Readiness,
  ) {
    readiness.register('definitions', () => (this.caughtUp ? undefined : 'definitions.v1 is not read to its end yet'));
  }

  async onApplicationBootstrap(): Promise<void> {
    this.subscription = await this.log.broadcast(topics.definitions.name, (event) => this.take(event));
    void this.subscription.caughtUp.then(() => {
      this.caughtUp = true;
      this.markReady();
    });
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.subscription?.close();
  }

  get<K extends Kind>(kind: K, name: string): Versioned<K> | undefined {
    return this.known.get(`${kind}/${name}`) as Versioned<K> | undefined;
  }

  has(reference: string): boolean {
    return this.known.has(reference);
  }

  all<K extends Kind>(kind: K): Versioned<K>[] {
    return [...this.known.values()].filter((entry) => entry.definition.kind === kind) as Versioned<K>[];
  }

  /** The listener hears of every definition of the kind: of those known now at once, then of each new content. */
  onChange<K extends Kind>(kind: K, listener: (changed: Versioned<K>) => void): void {
    const listeners = this.listeners.get(kind) ?? [];
    listeners.push(listener as Listener);
    this.listeners.set(kind, listeners);
    for (const entry of this.all(kind)) listener(entry);
  }

  /** Called after any definition of any kind changed. */
  onAnyChange(listener: () => void): void {
    this.anyListeners.push(listener);
  }

  private take(event: LogEvent): void {
    const changed = event.data as DefinitionChanged;
    const result = validateDefinition(JSON.parse(changed.documentJson) as unknown);
    if (result.kind === 'invalid') {
      // Written by a newer release: this one goes on with what it knows.
      this.logger.warn(
        { definition: event.key, faults: result.faults },
        'a definition is not understood here and is left out',
      );
      return;
    }
    const previous = this.known.get(event.key);
    const isReady = changed.phase === DefinitionPhase.READY;
    if (
      previous &&
      (previous.generation > changed.generation ||
        (previous.version === changed.version && previous.isReady === isReady))
    )
      return;
    const entry: Versioned = {
      definition: result.definition as Definition,
      version: changed.version,
      generation: changed.generation,
      isReady,
    };
    this.known.set(event.key, entry);
    for (const listener of this.listeners.get(entry.definition.kind) ?? []) listener(entry);
    for (const listener of this.anyListeners) listener();
  }
}
