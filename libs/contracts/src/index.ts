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
export { DomainError, type DomainErrorKind } from './domain-error';
