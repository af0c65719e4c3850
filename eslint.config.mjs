import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

/** Which library may use which: names are the projects' own. A service may use every library but those for tests. */
const libraries = {
  contracts: [],
  'event-time': [],
  statistics: [],
  artifacts: ['contracts'],
  definitions: ['contracts', 'event-time'],
  grpc: ['contracts'],
  messaging: ['contracts'],
  'service-kit': ['artifacts', 'grpc'],
  'definition-store': ['contracts', 'definitions', 'grpc', 'messaging', 'service-kit'],
  embedded: [],
  testing: ['embedded'],
};
const forServices = [
  'contracts',
  'event-time',
  'statistics',
  'artifacts',
  'definitions',
  'grpc',
  'messaging',
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
];

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
    files: ['apps/**/*.ts', 'libs/**/*.ts'],
    // Tests play upstream systems, which publish as they like.
    ignores: [
      'libs/messaging/src/kafka/**',
      'libs/messaging/src/**/*.spec.ts',
      'libs/messaging/test/**',
      'apps/*/test/**',
    ],
    rules: {
      'no-restricted-imports': [
        'error',
        { paths: [{ name: 'kafkajs', message: 'Only libs/messaging/src/kafka may use kafkajs.' }] },
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
