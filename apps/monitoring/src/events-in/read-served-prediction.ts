// PredictionServed, read as far as monitoring needs it: a sixth of the time and a tenth of the objects of the whole message.
import { events, type EventDefinition } from '@headrace/contracts';
import {
  FLOAT8_BYTES,
  layoutOf,
  type FeatureLayout,
  type ServedPrediction,
  type ShadowScore,
} from '../domain/served-prediction';
import { MessageReader, SameText, WIRE } from './message-reader';

/** Field numbers of the message, as inference_events.proto has them. */
const tagOf = (field: number, wire: number): number => field * 8 + wire;
const TAG = {
  predictionId: tagOf(1, WIRE.bytes),
  endpoint: tagOf(2, WIRE.bytes),
  model: tagOf(3, WIRE.bytes),
  version: tagOf(4, WIRE.varint),
  assignment: tagOf(5, WIRE.bytes),
  joinKey: tagOf(6, WIRE.bytes),
  asOfMicros: tagOf(7, WIRE.varint),
  featureName: tagOf(9, WIRE.bytes),
  featureValues: tagOf(10, WIRE.bytes),
  featureValue: tagOf(10, WIRE.fixed64),
  output: tagOf(15, WIRE.fixed64),
  shadowScore: tagOf(16, WIRE.bytes),
  fallback: tagOf(17, WIRE.varint),
  rolloutId: tagOf(21, WIRE.bytes),
} as const;
const SHADOW_TAG = { version: tagOf(1, WIRE.varint), output: tagOf(2, WIRE.fixed64) } as const;

const NOTHING: Buffer = Buffer.alloc(0);
const NO_SHADOWS: readonly ShadowScore[] = [];
const same = { endpoint: new SameText(), model: new SameText(), assignment: new SameText(), rolloutId: new SameText() };

/** Throws when the bytes are not the message. The features are a view of them. */
export function readServedPrediction(message: Buffer): ServedPrediction {
  const reader = new MessageReader(message);
  let [predictionId, endpoint, model, assignment, joinKey, rolloutId] = ['', '', '', '', '', ''];
  let [version, asOfMicros, output] = [0, 0, 0];
  let fallback = false;
  let layout = NO_FEATURES;
  let features: Buffer = NOTHING;
  let shadowScores = NO_SHADOWS;
  while (reader.hasMore) {
    const start = reader.at;
    const tag = reader.uint32();
    switch (tag) {
      case TAG.predictionId:
        predictionId = reader.text();
        break;
      case TAG.endpoint:
        endpoint = same.endpoint.read(reader);
        break;
      case TAG.model:
        model = same.model.read(reader);
        break;
      case TAG.version:
        version = reader.int64();
        break;
      case TAG.assignment:
        assignment = same.assignment.read(reader);
        break;
      case TAG.joinKey:
        joinKey = reader.text();
        break;
      case TAG.asOfMicros:
        asOfMicros = reader.int64();
        break;
      case TAG.featureName: {
        reader.at = start;
        const more = readLayout(reader);
        layout = layout.names.length === 0 ? more : layoutOf([...layout.names, ...more.names]);
        break;
      }
      case TAG.featureValues: {
        const packed = reader.bytes();
        features = features.length === 0 ? packed : Buffer.concat([features, packed]);
        break;
      }
      case TAG.featureValue: {
        const from = reader.skip(FLOAT8_BYTES);
        features = Buffer.concat([features, message.subarray(from, from + FLOAT8_BYTES)]);
        break;
      }
      case TAG.output:
        output = reader.double();
        break;
      case TAG.shadowScore:
        shadowScores = [...shadowScores, readShadow(reader.message())];
        break;
      case TAG.fallback:
        fallback = reader.int64() !== 0;
        break;
      case TAG.rolloutId:
        rolloutId = same.rolloutId.read(reader);
        break;
      default:
        reader.skipField(tag);
    }
  }
  return {
    predictionId,
    endpoint,
    model,
    version,
    assignment,
    joinKey,
    asOfMicros,
    layout,
    features,
    output,
    shadowScores,
    fallback,
    rolloutId,
  };
}

/** The catalogue's definition with this reader. */
export const servedPredictions: EventDefinition<ServedPrediction> = {
  ...events.PredictionServed,
  keyOf: (prediction) => prediction.joinKey,
  codec: {
    decode: (input) => {
      if (input instanceof Uint8Array) return readServedPrediction(asBuffer(input));
      throw new TypeError('a prediction is read from its bytes');
    },
    encode: () => {
      throw new TypeError(`${events.PredictionServed.type} is read here, never written`);
    },
    toJSON: (prediction) => prediction,
  },
};

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function readShadow(reader: MessageReader): ShadowScore {
  let [version, output] = [0, 0];
  while (reader.hasMore) {
    const tag = reader.uint32();
    if (tag === SHADOW_TAG.version) version = reader.int64();
    else if (tag === SHADOW_TAG.output) output = reader.double();
    else reader.skipField(tag);
  }
  return { version, output };
}

const NO_FEATURES = layoutOf([]);

interface KnownLayout {
  /** The names as they stand in a message, with their tags. */
  readonly bytes: Buffer;
  readonly layout: FeatureLayout;
}

/** Layouts in memory; an endpoint has one at a time. */
const MOST_LAYOUTS = 64;
/** The one that was read last is the first. */
let known: readonly KnownLayout[] = [];

/** All names that follow each other. */
function readLayout(reader: MessageReader): FeatureLayout {
  const start = reader.at;
  const found = known.find(({ bytes }) => startsWith(reader, bytes));
  if (found) {
    reader.skip(found.bytes.length);
    if (found !== known[0]) known = [found, ...known.filter((one) => one !== found)];
    return found.layout;
  }
  const names: string[] = [];
  let end = start;
  while (reader.hasMore && reader.uint32() === TAG.featureName) {
    names.push(reader.text());
    end = reader.at;
  }
  reader.at = end;
  const made = { bytes: Buffer.from(reader.source.subarray(start, end)), layout: layoutOf(names) };
  known = [made, ...known].slice(0, MOST_LAYOUTS);
  return made.layout;
}

/** And no further name behind it. */
function startsWith({ source, at, end }: MessageReader, bytes: Buffer): boolean {
  const behind = at + bytes.length;
  return (
    behind <= end && bytes.compare(source, at, behind) === 0 && (behind === end || source[behind] !== TAG.featureName)
  );
}
