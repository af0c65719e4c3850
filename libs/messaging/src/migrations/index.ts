import { CreateMessagingTables1764000000000 } from './1764000000000-create-messaging-tables';

/** Put before the service's own migrations: `migrations: [...messagingMigrations, ...]`. */
export const messagingMigrations = [CreateMessagingTables1764000000000] as const;
