export {
  deadLetterTopicOf,
  events,
  eventsByType,
  redriveTopicOf,
  topicOf,
  topics,
  type Codec,
  type EventDefinition,
  type TopicDefinition,
} from './catalogue';
export { encodeMessage } from './encode-message';
export { DomainError, type DomainErrorKind } from './domain-error';
