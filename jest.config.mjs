const shared = {
  rootDir: '.',
  testEnvironment: 'node',
  transform: {
    '^.+\\.(t|j|mj)s$': [
      '@swc/jest',
      {
        module: { type: 'commonjs' },
        jsc: {
          target: 'es2022',
          keepClassNames: true,
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
      },
    ],
  },
  transformIgnorePatterns: ['node_modules/(?!(@nestjs|@headrace|@opentelemetry/otlp-exporter-base)/)'],
  moduleNameMapper: {
    '^@headrace/contracts/proto/(.*)$': '<rootDir>/libs/contracts/src/generated/headrace/$1',
    '^@headrace/contracts/grpc/(.*)$': '<rootDir>/libs/contracts/src/generated/grpc/$1',
    '^@headrace/contracts/descriptors$': '<rootDir>/libs/contracts/src/generated/descriptors',
    '^@headrace/contracts/inference-config$': '<rootDir>/libs/contracts/src/generated/inference/model_config',
    '^@headrace/contracts/inference$': '<rootDir>/libs/contracts/src/generated/inference/grpc_service',
    '^@headrace/([^/]+)$': '<rootDir>/libs/$1/src/index',
  },
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/.headrace/', '<rootDir>/.nx/'],
};

export default {
  testTimeout: 60_000,
  projects: [
    {
      ...shared,
      displayName: 'unit',
      testMatch: ['<rootDir>/{apps,libs}/**/*.spec.ts', '<rootDir>/deploy/**/*.spec.ts'],
    },
    {
      ...shared,
      displayName: 'integration',
      testMatch: ['<rootDir>/{apps,libs}/**/*.int-spec.ts'],
      globalSetup: '<rootDir>/libs/testing/jest/global-setup.mjs',
      globalTeardown: '<rootDir>/libs/testing/jest/global-teardown.mjs',
    },
  ],
};
