import { CreateMessagingTables1764000000000 } from './1764000000000-create-messaging-tables';
import { NameTheOutbox1764000000001 } from './1764000000001-name-the-outbox';
import { RememberDeadLetters1764000000010 } from './1764000000010-remember-dead-letters';
import { IdentifyTopics1764000000020 } from './1764000000020-identify-topics';
import { PackTheOutbox1764000000030 } from './1764000000030-pack-the-outbox';

/** Put before the service's own migrations: `migrations: [...messagingMigrations, ...]`. */
export const messagingMigrations = [
  CreateMessagingTables1764000000000,
  NameTheOutbox1764000000001,
  RememberDeadLetters1764000000010,
  IdentifyTopics1764000000020,
  PackTheOutbox1764000000030,
] as const;
