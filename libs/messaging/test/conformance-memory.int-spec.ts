import { MemoryBroker } from '@headrace/messaging';
import { conformance } from './conformance';

const broker = new MemoryBroker();

conformance('in memory', () => broker);
