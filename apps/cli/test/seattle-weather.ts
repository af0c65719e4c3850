// The upstream system and the application of the example: a weather station that reports each day at its end.
import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { doubleValue, stringValue } from '@headrace/definitions';
import { MICROS } from '@headrace/event-time';
import type { PredictResponse } from '@headrace/contracts/proto/inference/v1/inference_service';
import { installationFolders } from '@headrace/embedded';
import { isUnavailable } from '@headrace/grpc';
import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import type { Clients } from '../src/connection';

const DAYS_TOPIC = 'weather.days';
const OUTCOMES_TOPIC = 'weather.outcomes';
/** Days that the station may be ahead of the answers: within the features' retention of 30 days. */
const LEAD = 20;
const GIVE_UP_MS = 10_000;
const RETRY_MS = 50;

export interface WeatherDay {
  readonly day: string;
  readonly observed: string;
  readonly station: string;
  readonly precipitation: number;
  readonly temp_max: number;
  readonly temp_min: number;
  readonly wind: number;
}

interface WeatherOutcome {
  readonly day: string;
  readonly observed: string;
  readonly next_temp_max: number;
}

export interface SeattleWeather {
  readonly days: readonly WeatherDay[];
  /** By day; the last day has none. */
  readonly outcomes: ReadonlyMap<string, WeatherOutcome>;
  readonly daysBeforeReplay: number;
}

export async function prepareSeattleWeather(python: string, folder: string): Promise<SeattleWeather> {
  const { repository } = installationFolders();
  const script = join(repository, 'examples', 'seattle-temperature', 'prepare.py');
  const source = join(repository, 'node_modules', 'vega-datasets', 'data');
  await promisify(execFile)(python, [script, '--source', source, '--out', folder]);
  const outcomes = await readRows<WeatherOutcome>(join(folder, 'weather-outcomes.ndjson'));
  const meta = JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8')) as { daysBeforeReplay: number };
  return {
    days: await readRows<WeatherDay>(join(folder, 'weather-days.ndjson')),
    outcomes: new Map(outcomes.map((outcome) => [outcome.day, outcome])),
    daysBeforeReplay: meta.daysBeforeReplay,
  };
}

async function readRows<T>(file: string): Promise<T[]> {
  return (await readFile(file, 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

export function microsOf(iso: string): number {
  return Date.parse(iso) * MICROS.ms;
}

/** One answer beside what came true. */
export interface AnsweredDay {
  readonly day: string;
  readonly answer: PredictResponse;
  readonly outcome: number;
}

/** A change that the station makes by itself: from this outcome on it reports warmer maxima. */
export interface Shift {
  readonly fromMicros: number;
  readonly degrees: number;
}

/** Publishes the days in order and, where asked to, wants a prediction at the end of each. */
export class WeatherStation {
  readonly answered: AnsweredDay[] = [];
  shift: Shift | undefined;
  private next = 0;

  private constructor(
    private readonly weather: SeattleWeather,
    private readonly producer: Producer,
    private readonly clients: Clients,
    private readonly endpoint: string,
  ) {}

  static async open(weather: SeattleWeather, brokers: string, clients: Clients, endpoint: string) {
    const kafka = new Kafka({ clientId: 'weather-station', brokers: [brokers], logLevel: logLevel.ERROR });
    const admin = kafka.admin();
    await admin.connect();
    const topics = [DAYS_TOPIC, OUTCOMES_TOPIC].map((topic) => ({ topic, numPartitions: 4, replicationFactor: 1 }));
    await admin.createTopics({ topics, waitForLeaders: true });
    await admin.disconnect();
    const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
    await producer.connect();
    return new WeatherStation(weather, producer, clients, endpoint);
  }

  async close(): Promise<void> {
    await this.producer.disconnect();
  }

  /** Days published so far. */
  get published(): number {
    return this.next;
  }

  /** Everything up to this day (exclusive), at once, without predictions. */
  async publishHistory(until: number): Promise<void> {
    const days = this.weather.days.slice(this.next, until);
    await this.publish(days);
    this.next += days.length;
  }

  /** Day by day up to this one (exclusive), with a prediction as of the end of each. */
  async live(until: number): Promise<void> {
    const waiting: Promise<void>[] = [];
    for (const day of this.weather.days.slice(this.next, until)) {
      if (waiting.length >= LEAD) await waiting.shift();
      await this.publish([day]);
      this.next += 1;
      const asked = this.predict(day);
      // Awaited below; until then a failure is not lost.
      asked.catch(() => undefined);
      waiting.push(asked);
    }
    await Promise.all(waiting);
  }

  /** At the end of a day its observations are known, and so is the outcome of the day before. */
  private async publish(days: readonly WeatherDay[]): Promise<void> {
    const outcomes = days.flatMap((day) => {
      const before = this.weather.days[this.weather.days.indexOf(day) - 1];
      const outcome = before && this.weather.outcomes.get(before.day);
      return outcome ? [{ ...outcome, next_temp_max: this.reported(outcome) }] : [];
    });
    await this.producer.sendBatch({
      topicMessages: [
        { topic: OUTCOMES_TOPIC, messages: outcomes.map((outcome) => messageOf('outcome', outcome)) },
        { topic: DAYS_TOPIC, messages: days.map((day) => messageOf('day', day)) },
      ],
    });
  }

  private reported(outcome: WeatherOutcome): number {
    const isShifted = this.shift !== undefined && microsOf(outcome.observed) >= this.shift.fromMicros;
    return outcome.next_temp_max + (isShifted ? (this.shift?.degrees ?? 0) : 0);
  }

  private async predict(day: WeatherDay): Promise<void> {
    const { inference } = this.clients;
    const ask = () =>
      this.clients.call(inference.predict.bind(inference), {
        endpoint: this.endpoint,
        entities: { station: day.station },
        request: {
          day: stringValue(day.day),
          temp_max: doubleValue(day.temp_max),
          temp_min: doubleValue(day.temp_min),
          wind: doubleValue(day.wind),
          precipitation: doubleValue(day.precipitation),
        },
        asOfMicros: microsOf(day.observed),
        predictionId: `seattle-${day.day}`,
      });
    const answer = await retried(ask);
    const outcome = this.weather.outcomes.get(day.day);
    this.answered.push({ day: day.day, answer, outcome: outcome ? this.reported(outcome) : NaN });
  }
}

/** An application tries again, with the same prediction id, while no version is loaded yet. */
async function retried<T>(ask: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + GIVE_UP_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!isUnavailable(error) || performance.now() > deadline) throw error;
    }
    await delay(RETRY_MS);
  }
}

/** The station traces its records: each begins a trace. */
export function upstreamTrace(id: string): { readonly traceId: string; readonly spanId: string } {
  const digits = createHash('sha256').update(`station ${id}`).digest('hex');
  return { traceId: digits.slice(0, 32), spanId: digits.slice(32, 48) };
}

function messageOf(kind: 'day' | 'outcome', row: { readonly day: string; readonly observed: string }) {
  const id = `${kind}-${row.day}`;
  const { traceId, spanId } = upstreamTrace(id);
  return {
    key: row.day,
    value: JSON.stringify(row),
    headers: {
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: '/weather-station/seattle',
      ce_type: `com.example.weather.${kind}`,
      ce_time: row.observed,
      'content-type': 'application/json',
      traceparent: `00-${traceId}-${spanId}-01`,
    },
  };
}

export function meanAbsoluteError(days: readonly AnsweredDay[]): number {
  return days.reduce((sum, { answer, outcome }) => sum + Math.abs(answer.output - outcome), 0) / days.length;
}
