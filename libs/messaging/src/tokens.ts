/** Injection tokens: `@Inject(UNIT_OF_WORK) private readonly unitOfWork: UnitOfWork`. */
export const UNIT_OF_WORK = Symbol('UnitOfWork');
export const BULK_PUBLISHER = Symbol('BulkPublisher');
export const LOG_READER = Symbol('LogReader');
export const TOPIC_SUBSCRIPTIONS = Symbol('TopicSubscriptions');
export const MESSAGING_HEALTH = Symbol('MessagingHealth');
export const MESSAGING_OPTIONS = Symbol('MessagingOptions');
