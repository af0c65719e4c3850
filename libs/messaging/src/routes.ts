// Which handler a record goes to, for each consumer group.
import { redriveTopicOf, topicOf, type EventDefinition } from '@headrace/contracts';
import type { Binding } from './handlers';
import type { TopicSelection } from './topic-subscriptions';
import { isCatalogueTopic } from './topics';
import type { DeadLetterPolicy, UnknownTypes } from './types';

/** Calls the controller's method through Nest. */
export type Invoke = (argument: unknown, transaction: unknown) => Promise<unknown>;

export interface Route {
  readonly kind: Binding['kind'];
  /** Event type, or `record`: also the label of metrics. */
  readonly name: string;
  readonly deadLetter: DeadLetterPolicy;
  readonly notYetExpiryMs: number;
  readonly invoke: Invoke;
}

const NOT_YET_EXPIRY_MS = 600_000;

export class GroupRoutes {
  private readonly byType = new Map<string, Route>();
  private readonly definitions = new Map<string, EventDefinition<unknown>>();
  readonly redriveTopic: string;
  private declared: UnknownTypes | undefined;
  records: Route | undefined;

  constructor(
    readonly group: string,
    private readonly selection: TopicSelection,
  ) {
    this.redriveTopic = redriveTopicOf(group);
  }

  add(binding: Binding, invoke: Invoke): void {
    const { deadLetter, notYetExpiryMs = NOT_YET_EXPIRY_MS } = binding.options;
    this.declare(binding.options.unknownTypes);
    const shared = { kind: binding.kind, deadLetter, notYetExpiryMs, invoke };
    if (binding.kind === 'record-batch') {
      if (this.records) throw new Error(`group ${this.group} has two handlers of records`);
      this.records = { ...shared, name: 'record' };
      return;
    }
    const { type } = binding.definition;
    if (this.byType.has(type))
      throw new Error(`group ${this.group} has two handlers of ${type}: give one its own group`);
    this.byType.set(type, { ...shared, name: type });
    this.definitions.set(type, binding.definition);
  }

  /** What becomes of events whose type is not in the catalogue. */
  get unknownTypes(): UnknownTypes {
    return this.declared ?? 'dead-letter';
  }

  private declare(unknownTypes: UnknownTypes | undefined): void {
    if (unknownTypes === undefined) return;
    if (this.declared !== undefined && this.declared !== unknownTypes) {
      throw new Error(
        `group ${this.group}: one handler declares unknownTypes "${this.declared}", another "${unknownTypes}"`,
      );
    }
    this.declared = unknownTypes;
  }

  /** As its handler names it: its codec may read a part of the message only. */
  readonly definitionOf = (type: string): EventDefinition<unknown> | undefined => this.definitions.get(type);

  routeOf(type: string): Route | undefined {
    return this.byType.get(type);
  }

  /** Some handler takes whole batches: fuller ones are worth a moment. */
  takesBatches(): boolean {
    return this.records !== undefined || [...this.byType.values()].some(({ kind }) => kind === 'event-batch');
  }

  /** By name, not by the present selection: a record in hand stays what it is when its topic is dropped. */
  isForeign(topic: string): boolean {
    return this.records !== undefined && !isCatalogueTopic(topic);
  }

  /** Why the run-time selection does not fit the handlers, if so. */
  selectionFault(): string | undefined {
    for (const type of this.selection.typesOf(this.group)) {
      if (!this.byType.has(type)) return `group ${this.group} has no handler of ${type}`;
    }
    if (!this.records && this.selection.foreignOf(this.group).length > 0) {
      return `group ${this.group} has no handler of foreign records`;
    }
    return undefined;
  }

  foreignTopics(): readonly string[] {
    return this.selection.foreignOf(this.group);
  }

  /** Topics of the catalogue that the group reads now. */
  ownTopics(): string[] {
    const names = new Set<string>();
    for (const [type, { topic }] of this.definitions) {
      if (!topic.name.includes('{stream}')) names.add(topic.name);
      else for (const stream of this.selection.streamsOf(this.group, type)) names.add(topicOf(topic, stream));
    }
    return [...names].sort();
  }
}
