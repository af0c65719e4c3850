import { topicOf, type EventDefinition } from '@headrace/contracts';
import { isCatalogueTopic } from './topics';

/** Tells at run time which topics the groups with handlers of {stream} topics or foreign records read. */
export interface TopicSubscriptions {
  /** Replaces the streams whose topics of this definition the group reads. Missing topics are created. */
  set<T>(group: string, definition: EventDefinition<T>, streams: readonly string[]): void;
  /** Replaces the foreign topics of the group. Those that do not exist yet are waited for. */
  setForeign(group: string, topics: readonly string[]): void;
}

/** What was told so far; may be told before the handlers are known. */
export class TopicSelection implements TopicSubscriptions {
  private readonly streams = new Map<string, Map<string, readonly string[]>>();
  private readonly foreign = new Map<string, readonly string[]>();
  private listener: ((group: string) => void) | undefined;

  set<T>(group: string, definition: EventDefinition<T>, streams: readonly string[]): void {
    if (!definition.topic.name.includes('{stream}')) throw new RangeError(`${definition.type} has one fixed topic`);
    for (const stream of streams) topicOf(definition.topic, stream);
    const ofGroup = this.streams.get(group) ?? new Map<string, readonly string[]>();
    this.streams.set(group, ofGroup.set(definition.type, [...streams]));
    this.listener?.(group);
  }

  setForeign(group: string, topics: readonly string[]): void {
    const own = topics.find(isCatalogueTopic);
    if (own !== undefined) throw new RangeError(`topic ${own} belongs to Headrace, it cannot be read as a foreign one`);
    this.foreign.set(group, [...topics]);
    this.listener?.(group);
  }

  onChange(listener: (group: string) => void): void {
    this.listener = listener;
  }

  groups(): string[] {
    return [...new Set([...this.streams.keys(), ...this.foreign.keys()])];
  }

  typesOf(group: string): string[] {
    return [...(this.streams.get(group)?.keys() ?? [])];
  }

  streamsOf(group: string, type: string): readonly string[] {
    return this.streams.get(group)?.get(type) ?? [];
  }

  foreignOf(group: string): readonly string[] {
    return this.foreign.get(group) ?? [];
  }
}
