export {
  deadLetterTopicOf,
  events,
  eventsByType,
  topicOf,
  topics,
  type Codec,
  type EventDefinition,
  type TopicDefinition,
} from './catalogue';
