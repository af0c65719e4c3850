import type { RetryOptions } from 'kafkajs';

/** Outlasts an outage of many minutes; the default gives up after seconds. */
export const OUTLAST: RetryOptions = { initialRetryTime: 50, maxRetryTime: 1000, retries: 1000 };
