import { testKafkaBrokers } from '@headrace/testing';
import { conformance } from './conformance';

conformance('on Kafka', testKafkaBrokers);
