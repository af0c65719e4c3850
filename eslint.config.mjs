import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** Which library may use which: names are the projects' own. A service may use every library but those for tests. */
const libraries = {
  contracts: [],
  'event-time': [],
  statistics: [],
  artifacts: ['contracts'],
  scoring: ['contracts'],
  definitions: ['contracts', 'event-time'],
  tracing: [],
  'grpc-fast': [],
  grpc: ['contracts', 'grpc-fast', 'tracing'],
  messaging: ['contracts', 'tracing'],
  'service-kit': ['artifacts', 'grpc', 'tracing'],
  'definition-store': ['contracts', 'definitions', 'grpc', 'messaging', 'service-kit'],
  embedded: [],
  testing: ['embedded'],
};
const forServices = [
  'contracts',
  'event-time',
  'statistics',
  'artifacts',
  'scoring',
  'definitions',
  'grpc',
  'messaging',
  'tracing',
  'service-kit',
  'definition-store',
  'testing',
];

const depConstraints = [
  ...Object.entries(libraries).map(([name, allowed]) => ({
    sourceTag: `name:${name}`,
    onlyDependOnLibsWithTags: [`name:${name}`, ...allowed.map((other) => `name:${other}`), 'name:testing'],
  })),
  { sourceTag: 'type:app', onlyDependOnLibsWithTags: [...forServices, 'embedded'].map((name) => `name:${name}`) },
];

const OUTSIDE_DOMAIN = [
  '@nestjs/*',
  'typeorm',
  'pg',
  'kafkajs',
  '@grpc/*',
  'onnxruntime-node',
  '@duckdb/*',
  'prom-client',
  'pino',
  '@opentelemetry/*',
];

const KAFKAJS = { name: 'kafkajs', message: 'Only libs/messaging/src/kafka may use kafkajs.' };

/** What a rollback of the handler's transaction would not undo. */
const OUTSIDE_TRANSACTION = {
  patterns: [
    {
      group: [
        ...['fs', 'net', 'tls', 'dgram', 'dns', 'http', 'http2', 'https', 'child_process', 'worker_threads', 'timers'],
        ...['cluster', 'readline', 'os'],
      ].flatMap((name) => [name, `node:${name}`, `${name}/*`, `node:${name}/*`]),
      message: 'A handler touches nothing but its transaction: no files, no calls, no timers.',
    },
    {
      group: ['pg', '@grpc/*', '@headrace/grpc', '@headrace/artifacts', '@duckdb/*', 'onnxruntime-node', 'rxjs'],
      message: 'A handler touches nothing but its transaction.',
    },
  ],
  paths: [
    KAFKAJS,
    {
      name: 'typeorm',
      importNames: ['DataSource', 'InjectDataSource', 'EntityManager', 'QueryRunner', 'Repository'],
      message: 'A handler has its transaction, not a connection of its own.',
    },
    {
      name: '@headrace/messaging',
      importNames: ['UNIT_OF_WORK', 'BULK_PUBLISHER', 'LOG_READER', 'ensureTopics', 'openLogReader'],
      message: 'A handler publishes through its transaction and reads what it was given.',
    },
  ],
};

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      '**/generated/**',
      'node_modules/**',
      '.headrace/**',
      '.nx/**',
      'coverage/**',
      'deploy/grafana/dashboards/**',
    ],
  },
  ...tseslint.configs.recommended.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        { enforceBuildableLibDependency: false, allowCircularSelfDependency: true, allow: [], depConstraints },
      ],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/await-thenable': 'error',
      '@typescript-eslint/consistent-type-imports': [
        'error',
        { fixStyle: 'inline-type-imports', disallowTypeAnnotations: false },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      'no-empty': ['error', { allowEmptyCatch: false }],
      eqeqeq: 'error',
    },
  },
  {
    // Nest reads constructor types at run time: type-only imports would erase them.
    files: ['apps/**/*.ts', 'libs/{service-kit,messaging,definition-store}/**/*.ts'],
    rules: { '@typescript-eslint/consistent-type-imports': 'off' },
  },
  {
    files: ['apps/**/*.ts', 'libs/**/*.ts'],
    // Tests play upstream systems, which publish as they like.
    ignores: [
      'libs/messaging/src/kafka/**',
      'libs/messaging/src/**/*.spec.ts',
      'libs/messaging/test/**',
      'apps/*/test/**',
    ],
    rules: {
      'no-restricted-imports': ['error', { paths: [KAFKAJS] }],
    },
  },
  // Behind the rule for all: of one rule the last configuration of a file counts.
  {
    files: ['apps/*/src/domain/**/*.ts'],
    ignores: ['**/*.spec.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: [{ group: OUTSIDE_DOMAIN, message: 'The domain is pure: no framework, no database, no broker.' }] },
      ],
    },
  },
  {
    files: ['apps/*/src/events-in/**/*.handler.ts'],
    rules: {
      'no-restricted-imports': ['error', OUTSIDE_TRANSACTION],
      'no-restricted-globals': [
        'error',
        ...['fetch', 'WebSocket', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'].map((name) => ({
          name,
          message: 'A handler touches nothing but its transaction: no calls, no timers.',
        })),
      ],
    },
  },
  {
    files: ['apps/*/src/**/*.ts', 'libs/*/src/**/*.ts'],
    ignores: [
      '**/*.config.ts',
      '**/*.spec.ts',
      'apps/cli/**',
      'libs/testing/**',
      'libs/service-kit/src/run-service.ts',
    ],
    rules: {
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='process'][property.name='env']",
          message: 'Only *.config.ts reads the environment.',
        },
      ],
    },
  },
);
