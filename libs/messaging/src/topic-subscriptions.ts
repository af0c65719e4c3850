import type { EventDefinition } from '@headrace/contracts';

/** Tells at run time which topics the groups with handlers of {stream} topics or foreign records read. */
export interface TopicSubscriptions {
  /** Replaces the streams whose topics of this definition the group reads. Missing topics are created. */
  set<T>(group: string, definition: EventDefinition<T>, streams: readonly string[]): void;
  /** Replaces the foreign topics of the group. Those that do not exist yet are waited for. */
  setForeign(group: string, topics: readonly string[]): void;
}
