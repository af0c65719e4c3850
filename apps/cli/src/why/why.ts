// What `headrace why` tells about one answer. Times are RFC 3339; numbers that are none are null.
import type { Approval } from './served-by';

export interface Why {
  readonly prediction: {
    readonly id: string;
    readonly endpoint: string;
    readonly model: string;
    /** 0: the endpoint's fallback value. */
    readonly version: number;
    readonly assignment: string;
    readonly output: number | null;
    readonly fallback: boolean;
    readonly fallbackReason: string;
    readonly joinKey: string;
    readonly asOf: string;
    readonly servedAt: string;
    readonly latencyMicros: number;
    readonly entities: Readonly<Record<string, string>>;
    readonly request: Readonly<Record<string, string | number | boolean | null>>;
    readonly guardrails: readonly { readonly guardrail: string; readonly action: string; readonly reason: string }[];
    /** What the other versions of a rollout said. */
    readonly others: readonly { readonly version: number; readonly output: number | null }[];
  };
  readonly features: readonly {
    readonly name: string;
    readonly value: number | null;
    /** present, missing, stale, expired. */
    readonly status: string;
    /** The moment as of which the value was known; null: it was not. */
    readonly knownAsOf: string | null;
    /** "<view>:<feature> of <entity>", or the request expression. */
    readonly source: string;
  }[];
  readonly labels: readonly {
    readonly stream: string;
    readonly label: number;
    readonly happenedAt: string;
    readonly knownAt: string;
    readonly event: string;
    /** Squared difference of answer and label: binary models' Brier score. */
    readonly squaredError: number;
    readonly error: number;
  }[];
  /** Null for the fallback value. */
  readonly version: null | {
    readonly model: string;
    readonly version: number;
    readonly state: string;
    readonly registeredAt: string;
    readonly modelDigest: string;
    readonly metrics: Readonly<Record<string, { value: number | null; low: number | null; high: number | null }>>;
    readonly gates: readonly {
      readonly name: string;
      readonly criterion: string;
      readonly measured: number | null;
      readonly passed: boolean;
      readonly message: string;
      /** Null: nobody had to. */
      readonly waived: null | {
        readonly by: string;
        readonly role: string;
        readonly reason: string;
        readonly at: string;
      };
    }[];
  };
  readonly training: null | {
    readonly run: string;
    readonly plan: string;
    readonly planVersion: string;
    readonly trigger: string;
    /** Empty: the training service does not know the run any more. */
    readonly reason: string;
    readonly requestedAt: string | null;
    readonly finishedAt: string | null;
    readonly rows: number;
    readonly from: string;
    readonly to: string;
    readonly seed: number;
    readonly environment: string;
    readonly trainingSet: string;
    readonly featureViews: readonly string[];
    readonly shuffledLabels: boolean;
  };
  readonly datasets: readonly DatasetPart[];
  /** The change of the endpoint that let the version answer. */
  readonly serving: null | {
    readonly change: string;
    readonly version: number;
    readonly previousVersion: number;
    readonly generation: number;
    readonly at: string;
    readonly by: string;
    readonly reason: string;
    readonly event: string;
  };
  readonly approvals: readonly (Omit<Approval, 'atMicros'> & { readonly at: string })[];
  /** False: somebody changed or removed an entry of the audit log. */
  readonly auditChainIntact: boolean;
  /** From the data that began it to the gates of the version; then to the change that let it answer. */
  readonly events: { readonly made: readonly EventLine[]; readonly served: readonly EventLine[] };
  /** What could not be asked, and why: what is left empty for it may exist. */
  readonly notKnown: readonly string[];
}

export interface EventLine {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
}

/** Rows, and the event times and the last known time among them: null when ingestion did not answer. */
export interface DatasetPart {
  readonly stream: string;
  readonly version: number;
  readonly rows: number | null;
  readonly from: string | null;
  readonly until: string | null;
  readonly knownUntil: string | null;
  readonly manifest: string;
}
